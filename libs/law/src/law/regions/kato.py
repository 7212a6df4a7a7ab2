"""KATO, the state classifier of administrative territories: the region to which a code belongs.

A code has nine digits: two for the region, two for the district or town in it, and so on. There is
no list of all codes here: a code can be assigned to a region, but not checked for existence.
"""

import re

from chassis.refusals import Checks

from law.regions.table import REGIONS, Region

_CODE = re.compile(r"[0-9]{9}")


def region_of_kato(code: str) -> Region | None:
    """The region that a KATO code belongs to; None for a malformed code or an unknown region."""
    return REGIONS.get(f"KZ-{code[:2]}") if _CODE.fullmatch(code) else None


def check_kato(check: Checks, field: str, code: str, region: str) -> None:
    """Check that a KATO code in a request belongs to `region`, an ISO 3166-2 code.

    If it does not, the error KATO_WRONG or KATO_MISMATCH for `field` is added to `check`. An empty
    code is allowed; if `region` is unknown, only the KATO code itself is checked.
    """
    if not code:
        return
    named = region_of_kato(code)
    if named is None:
        check.wrong(field, "a KATO code of 9 digits", code="KATO_WRONG")
    elif region in REGIONS:
        check.that(named.code == region, field, f"a KATO code of {region}", code="KATO_MISMATCH")
