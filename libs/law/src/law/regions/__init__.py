"""The regions of Kazakhstan: names, codes, and which one a place lies in."""

from law.regions.table import PLATE_CODE, REGIONS, Region

__all__ = ["PLATE_CODE", "REGIONS", "Region"]
