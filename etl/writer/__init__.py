"""Records become a catalog: one new file, written whole and swapped in at the end.

In come readings (what sources yield), out comes a file at a path and a summary of it.  Commands,
benchmarks and tests call it, through :func:`etl.writer.build.build_catalog` alone; nobody else
writes a catalog.
"""
