"""Whole migrations in bad weather: everything that may go wrong on the way does, by chance, and ``start`` is typed on.

``python -m tests.soak --help``; ``make soak``. Each migration follows from its seed.
"""
