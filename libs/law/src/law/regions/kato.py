"""KATO, the state classifier of administrative territories: which region a code lies in.

A code has nine digits, of which the first two are the region's and the next two its district's or
town's. The list itself is not kept here: a code is known to be of a region, not to exist.
"""

import re

from law.regions.table import REGIONS, Region

_CODE = re.compile(r"[0-9]{9}")


def region_of_kato(code: str) -> Region | None:
    """The region with a KATO code in it; None for what is no code of any region."""
    return REGIONS.get(f"KZ-{code[:2]}") if _CODE.fullmatch(code) else None
