"""Measures a REST request: a GET through the operator gateway, compared with a bare gateway.

`load` is the program that makes the requests, `passing` the bare gateway, and `measure` compares
both.
"""

from tartip_bench.gateway.measure import measure

__all__ = ["measure"]
