"""A catalog in formats of other programs: Parquet files for engines that do not read SQLite.

In comes an open catalog and a folder, out come files that are the same for the same catalog.  The
command line calls it; it reads the public views and the tables, and writes none of them.
"""
