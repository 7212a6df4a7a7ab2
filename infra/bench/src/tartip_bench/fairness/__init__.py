"""One partner floods citizen-reports; another and the emergencies of both are served on."""

from tartip_bench.fairness.measure import measure

__all__ = ["measure"]
