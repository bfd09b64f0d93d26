"""The commands of ``spack-catalog``, a module each, loaded when they are called."""
