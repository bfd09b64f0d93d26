"""What the pages of the site say: each module asks for the facts of one kind of page.

In come a connection and the names of an address, out come frozen records that a template shows
and JSON repeats.  Only the site calls it; its statements are the only SQL behind our own pages.
"""
