"""Malformed and mutated messages against everything that reads bytes from outside."""
