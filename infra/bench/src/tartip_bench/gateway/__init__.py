"""What a request over REST costs: a GET through the operator gateway beside a bare pass-through.

`load` is the callers, `passing` the bare gateway, `measure` the part `gateway` of the bench.
"""

from tartip_bench.gateway.measure import measure

__all__ = ["measure"]
