"""Spack's language: versions, variants, compilers, targets, tags, and specs as trees."""
