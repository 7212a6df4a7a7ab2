"""Fairness: while one partner floods citizen-reports, calls of another partner and the emergencies
of both must still be served."""

from tartip_bench.fairness.measure import measure

__all__ = ["measure"]
