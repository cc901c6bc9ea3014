"""Pure decisions: what was seen, what to do next, whether the world still fits. No I/O in this room."""
