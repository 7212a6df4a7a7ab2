"""Measures a call through the library `chassis`, compared with a bare handler that uses only
grpc.aio and asyncpg.

`server` is the program that serves either kind of handler, `schema` creates its tables, `load` is
the program that makes the calls, and `measure` compares the results.
"""

from tartip_bench.chassis.measure import measure

__all__ = ["measure"]
