"""The register of cameras at the size of the country: importing it, asking it, counting it."""

from tartip_bench.register.measure import measure

__all__ = ["measure"]
