"""Measures the camera register with a whole country's cameras: imports, queries, statistics."""

from tartip_bench.register.measure import measure

__all__ = ["measure"]
