"""Watches for excursions and tells people."""
