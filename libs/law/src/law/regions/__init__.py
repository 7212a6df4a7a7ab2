"""The regions of Kazakhstan: their names and codes, and the region in which a place lies."""

from law.regions.table import PLATE_CODE, REGIONS, Region

__all__ = ["PLATE_CODE", "REGIONS", "Region"]
