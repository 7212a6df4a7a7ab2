"""The `tartip` command: one module for each group of commands, registered here and nowhere else.

A module offers `register(app)`. To add a command group, write the module and add it to `_GROUPS`.
"""

from tartip_cli import (
    bench_command,
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
    bench_command,
)

app = new_app("Tartip: cameras, violations, fines and citizens' reports, on this machine.")
for group in _GROUPS:
    group.register(app)
