"""The owner of a camera: an organisation with a BIN, or a person with an IIN.

Both are national identification numbers of 12 digits with a check digit.
"""

from chassis.refusals import Checks
from law.identity_numbers import has_check_digit, is_bin, is_owner_number

# The roles that may learn which person owns a camera.
ROLES_THAT_KNOW_PERSONS = frozenset(("camera_administrator", "supervisor"))
IIN_EXPECTED = "an IIN: 12 digits with their check digit"


def check_owner(check: Checks, at: str, *, owner_bin: str, owner_iin: str, is_person: bool) -> None:
    """Add the invalid fields of an owner to `check`; `at` is put before each field's name.

    Exactly one of BIN and IIN is required. `is_person` says that the owner stays a person who is
    already stored: the IIN may then be missing, and a BIN is invalid.
    """
    is_one = not (owner_bin and (owner_iin or is_person))
    check.that(is_one, at + "owner_iin", "a BIN or an IIN, not both")
    if owner_iin:
        check_iin(check, at + "owner_iin", owner_iin)
    elif owner_bin or not is_person:
        check_bin(check, at + "owner_bin", owner_bin)


def check_bin(check: Checks, name: str, number: str) -> None:
    """Add the field `name` to `check` unless the number is a valid BIN (decree 565)."""
    is_firm = has_check_digit(number) and is_bin(number)
    check.that(is_firm, name, "a BIN: 12 digits with their check digit")


def check_iin(check: Checks, name: str, number: str) -> None:
    """Add the field `name` to `check` unless the number is a valid IIN (decree 565)."""
    check.that(is_owner_number(number) and not is_bin(number), name, IIN_EXPECTED)
