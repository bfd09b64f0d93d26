"""Everything that knows the tables of a catalog."""
