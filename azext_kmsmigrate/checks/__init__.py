"""Preflight: what has to be true before a step, judged from what was looked at. Pure."""
