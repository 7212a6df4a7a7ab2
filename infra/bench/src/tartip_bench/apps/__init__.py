"""The cost of the calls of bank and eGov apps: submit a report; look up, quote and pay a fine.

`load` makes the calls of one partner, `fines` prepares the fines, `measure` is the part `apps` of
the bench.
"""

from tartip_bench.apps.measure import measure

__all__ = ["measure"]
