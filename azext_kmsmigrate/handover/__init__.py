"""The report that is handed over: made from what is seen now and what the journal says was seen then. Pure."""
