"""Whether the checks and the local Azure agree: what passes is migrated, what Azure would refuse is said before."""
