"""KATO, the state classifier of administrative territories: which region a code lies in.

A code has nine digits, of which the first two are the region's and the next two its district's or
town's. The list itself is not kept here: a code is known to be of a region, not to exist.
"""

import re

from chassis.refusals import Checks

from law.regions.table import REGIONS, Region

_CODE = re.compile(r"[0-9]{9}")


def region_of_kato(code: str) -> Region | None:
    """The region with a KATO code in it; None for what is no code of any region."""
    return REGIONS.get(f"KZ-{code[:2]}") if _CODE.fullmatch(code) else None


def check_kato(check: Checks, field: str, code: str, region: str) -> None:
    """An empty code is right; `region` is the ISO code that the place was found to have."""
    if not code:
        return
    named = region_of_kato(code)
    if named is None:
        check.wrong(field, "a KATO code of 9 digits", code="KATO_WRONG")
    elif region in REGIONS:
        check.that(named.code == region, field, f"a KATO code of {region}", code="KATO_MISMATCH")
