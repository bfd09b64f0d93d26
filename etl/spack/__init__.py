"""Spack's language: versions, variants, compilers, targets, tags, and specs as trees.

In comes text, out come trees, sort keys and answers, or an error that points at the place in the
text.  Everybody may call it; it is pure: no files, no web, no tables.
"""
