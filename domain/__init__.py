"""The rules of the cold chain: pure functions and frozen values; no clock, no input or output."""
