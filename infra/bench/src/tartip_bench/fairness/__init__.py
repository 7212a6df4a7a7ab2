"""Measures fairness: while one partner floods citizen-reports with calls, another partner's calls
and both partners' emergency reports must still be served."""

from tartip_bench.fairness.measure import measure

__all__ = ["measure"]
