"""How much of an environment a catalog has, and why not the rest.

In come a lock and an open catalog, out come records: what is there, what is missing, the nearest
build of each missing spec with what differs, and which change would gain most.  The site and the
command line call it.
"""
