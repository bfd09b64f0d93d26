"""What can be read: pages, build caches and recipes, from a folder, an archive or the web.

In come paths and addresses, out come the frozen records of :mod:`etl.records`, one after the other,
with a problem for whatever is refused.  Commands call it, and the writer takes what it yields; it
knows no tables.
"""
