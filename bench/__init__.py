"""What the design promises in numbers, measured here: ``python -m bench``, or one by its name."""
