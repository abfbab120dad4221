"""Ways to reach a person: one port, one file each."""
