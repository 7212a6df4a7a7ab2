"""Checks whether a measuring device had a valid verification (KoAP Arts. 31, 822-1) at a moment.

A verification begins at an exact moment, not at the beginning of a day. It is valid until the end
of the last day, in Almaty, that the certificate states.
"""

from datetime import datetime

from law.zone import almaty_day


def is_verified(valid_from: datetime, valid_until: datetime, at: datetime) -> bool:
    """Whether `at` lies between `valid_from` and the end of the day of `valid_until` in Almaty.

    All three moments must have a time zone."""
    return valid_from <= at and almaty_day(at) <= almaty_day(valid_until)
