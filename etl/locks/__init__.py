"""Lock files of Spack environments, and concrete specs as Spack prints them, become records.

In comes the text of a ``spack.lock``, of ``spack spec --json`` or of a ``.spec.json``, out comes a
:class:`~etl.locks.read.Lock`.  Commands and the site call it; it is pure and knows no tables.
"""
