"""The commands of ``spack-catalog``, a module each, loaded when they are called.

In come the options and arguments of a command line, out goes text and an exit code.  Each command
is a few lines over the rooms below.  Only :mod:`etl.cli` calls it.
"""
