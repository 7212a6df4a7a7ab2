"""The cost of a REST request: a GET through the operator gateway, beside a bare gateway.

`load` is the callers, `passing` the bare gateway, `measure` the part `gateway` of the bench.
"""

from tartip_bench.gateway.measure import measure

__all__ = ["measure"]
