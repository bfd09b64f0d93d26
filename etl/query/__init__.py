"""A spec tree becomes SQL, and SQL becomes binaries: a catalog asked in Spack's words.

In come a parsed spec and a scope (tag, stack, CPU), out come statements, rows, what each
constraint leaves, near misses, and the commands that install.  Comparing, the facts of pages, the
site and commands may call it; it knows nothing of them.
"""
