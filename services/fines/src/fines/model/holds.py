"""Why a fine is not issued: each hold has a name, is shown, and is nothing that passes silently."""

from enum import StrEnum


class Hold(StrEnum):
    """Stored as text; what operators read stands in the console's texts as `hold.<CODE>`."""

    NONE = ""
    # The owner, as the vehicle register names it for the moment of the offence.
    OWNER_NOT_FOUND = "OWNER_NOT_FOUND"
    OWNER_NOT_UNIQUE = "OWNER_NOT_UNIQUE"
    OWNER_NUMBER_WRONG = "OWNER_NUMBER_WRONG"
    OWNER_INCOMPLETE = "OWNER_INCOMPLETE"
    OWNER_KIND_DIFFERS = "OWNER_KIND_DIFFERS"
    OWNER_TOO_YOUNG = "OWNER_TOO_YOUNG"
    REGISTER_RECORD_WRONG = "REGISTER_RECORD_WRONG"
    REGISTER_AWAY = "REGISTER_AWAY"
    # Terms and tables.
    OCCURRED_IN_FUTURE = "OCCURRED_IN_FUTURE"
    LIMITATION_EXPIRED = "LIMITATION_EXPIRED"
    SENT_TOO_LATE = "SENT_TOO_LATE"
    TABLE_YEAR_MISSING = "TABLE_YEAR_MISSING"
    # The violation and the article.
    VIOLATION_NOT_CONFIRMED = "VIOLATION_NOT_CONFIRMED"
    VIOLATION_HELD = "VIOLATION_HELD"
    CITIZEN_EVIDENCE = "CITIZEN_EVIDENCE_NEEDS_PROTOCOL"
    ARTICLE_UNKNOWN = "ARTICLE_UNKNOWN"
    ARTICLE_DIFFERS = "ARTICLE_DIFFERS"
    ARTICLE_NOT_AUTOMATIC = "ARTICLE_NOT_AUTOMATIC"
    # The plate, the device and what it read.
    PLATE_WRONG = "PLATE_WRONG"
    PLATE_NOT_AUTOMATIC = "PLATE_NOT_AUTOMATIC"
    DEVICE_INCOMPLETE = "DEVICE_INCOMPLETE"
    DEVICE_NOT_VERIFIED = "DEVICE_NOT_VERIFIED"
    READINGS_MISSING = "READINGS_MISSING"
    READINGS_DIFFER = "READINGS_DIFFER"


# May end by themselves, so they are looked at again. All others wait for a person.
LOOKED_AT_AGAIN = frozenset(
    {
        Hold.OWNER_NOT_FOUND,
        Hold.OWNER_NOT_UNIQUE,
        Hold.OWNER_NUMBER_WRONG,
        Hold.OWNER_INCOMPLETE,
        Hold.OWNER_KIND_DIFFERS,
        Hold.OWNER_TOO_YOUNG,
        Hold.REGISTER_RECORD_WRONG,
        Hold.REGISTER_AWAY,
        Hold.OCCURRED_IN_FUTURE,
        Hold.TABLE_YEAR_MISSING,
        Hold.VIOLATION_NOT_CONFIRMED,
    }
)
