"""What the pages of the site say: each module asks a catalog for the facts of one kind of page."""
