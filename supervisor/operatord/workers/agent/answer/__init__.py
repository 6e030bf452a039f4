"""What a person reads: the diagnosis, its citations checked, and its Markdown."""
