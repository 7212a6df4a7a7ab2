"""`python -m tartip_cli` is the same as `tartip`."""

from tartip_cli.main import main

main()
