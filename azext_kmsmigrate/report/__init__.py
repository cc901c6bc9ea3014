"""What people read: progress and plans as text, on stderr. Decides nothing."""
