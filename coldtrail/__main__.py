"""``python -m coldtrail``."""

from coldtrail.cli import main

main()
