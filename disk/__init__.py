"""What is on disk, and what happens where it has no room: beneath store and gateway alike."""
