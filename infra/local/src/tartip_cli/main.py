"""The `tartip` command: one module for each group of commands, registered here and nowhere else.

A module offers `register(app)`. To add a command group, write the module and add it to `_GROUPS`;
another package adds its own by an entry point of the group `tartip.commands` (as `tartip bench`).
"""

from importlib.metadata import entry_points

from tartip_cli import (
    demo,
    fines_command,
    functions_command,
    ingest,
    redrive,
    seed,
    status_command,
    streams_command,
    trace_command,
    up_command,
    verify,
)
from tartip_cli.console import new_app

_GROUPS = (
    up_command,
    status_command,
    trace_command,
    demo,
    ingest,
    functions_command,
    streams_command,
    fines_command,
    seed,
    verify,
    redrive,
)

app = new_app("Tartip: cameras, violations, fines and citizens' reports, on this machine.")
for group in _GROUPS:
    group.register(app)
for addition in entry_points(group="tartip.commands"):
    addition.load()(app)
