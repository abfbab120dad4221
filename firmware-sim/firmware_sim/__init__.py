"""Pretend probes in a pretend cold room, for people without one."""
