"""``make bench``: how fast, how gentle and how small the rewriting is, against the pipe that Microsoft documents."""
