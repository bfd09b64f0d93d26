"""What a cache.spack.io page looks like as text, in both directions.

``front_matter`` takes a page apart, ``style`` says in which of the site's ways it is written, and
``render`` puts it together again, byte for byte.  In comes text and out come plain values, and the
other way round.  Sources, the writer and the catalog's pages call it.
"""
