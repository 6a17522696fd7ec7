"""``python -m lyrist`` is the command line."""

from lyrist.cli import main

main()
