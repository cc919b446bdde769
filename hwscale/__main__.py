"""``python -m hwscale``."""

from hwscale.cli import main

main()
