"""Two tags side by side: packages, versions, binaries and stacks that differ.

In come the names of two tags, out come lists with the SQL of each.  The facts of pages, the site
and commands may call it; it takes nothing from them.
"""
