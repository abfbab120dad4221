"""Beside the probes: keeps every reading until the server has it on disk."""
