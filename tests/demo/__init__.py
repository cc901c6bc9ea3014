"""``make demo``: the whole migration, as a user would type it, on a lab that goes away at the end."""
