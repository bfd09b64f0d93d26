"""The pages of the site: each module answers the addresses of one kind of page."""
