"""A pretend operator of text messages: SMPP on one loopback port, a phone to look at on another.

For demo and tests. It is strict where a real operator is lenient: what it does not know, or
misses, it refuses by the standard's status, so that a mistake shows here and not in the field.
"""
