"""What the calls of bank and eGov apps cost: reports handed in, fines looked up, quoted and paid.

`load` is a partner's callers, `fines` makes the fines, `measure` is the part `apps` of the bench.
"""

from tartip_bench.apps.measure import measure

__all__ = ["measure"]
