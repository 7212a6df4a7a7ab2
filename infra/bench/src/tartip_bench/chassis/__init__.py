"""The cost of a call through the library `chassis`, beside a bare grpc.aio and asyncpg handler.

`server` is the program that serves either kind of handler, `schema` its tables, `load` the callers,
`measure` the part `chassis` of the bench.
"""

from tartip_bench.chassis.measure import measure

__all__ = ["measure"]
