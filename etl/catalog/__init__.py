"""The file itself: its tables and views, how it is opened, checked and asked, and its pages.

In comes the path of a catalog, or an open connection with values to ask for; out come rows, the
text of pages, and what is wrong with the file.  Every room above may call this one; it knows how
rows lie, not what people want of them.
"""
