"""A cluster and its Azure in memory: as strict as the real ones, whole migrations in milliseconds.

``SimCluster`` is the world; ``process()`` gives the ports as one run of the command sees them, and may be killed at
any of its calls. Time passes only when somebody sleeps.
"""
