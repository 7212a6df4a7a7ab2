"""The regions of Kazakhstan: names, codes, and the region of a place."""

from law.regions.table import PLATE_CODE, REGIONS, Region

__all__ = ["PLATE_CODE", "REGIONS", "Region"]
