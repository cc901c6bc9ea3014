"""Every Secret rewritten, and the proof: the deciding is pure, ``engine`` has the threads."""
