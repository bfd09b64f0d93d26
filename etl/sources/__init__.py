"""What can be read: each module turns one kind of source into records, and knows no tables."""
