"""A report as an app sends it, and checks of its fields; one BadRequest names all wrong fields."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import cos, radians

import h3
from chassis.fields import NEW_ID
from chassis.refusals import Checks, checks
from law.identity_numbers import has_check_digit
from law.regions import REGIONS
from law.regions.borders import is_on_earth, nearest_to, region_of
from law.regions.kato import check_kato, region_of_kato

from citizen_reports.model.categories import SILENT_ALARMS, TAKEN_FROM_ABROAD, Category
from citizen_reports.model.words import check_length, cleaned, cleaned_line, cleaned_phone

TEXT_MAX = 4000
ADDRESS_MAX = 500
OFFICER_MAX = 500
NAME_MAX = 200
LANGUAGES = ("kk", "ru", "en")
FUTURE_TOLERANCE = timedelta(minutes=5)
PAST_MAX = timedelta(days=366)
# H3 cells of about 0.1 km2: enough to find reports nearby, too coarse to identify a home.
CELL_RESOLUTION = 9
# Slightly less than a degree of latitude anywhere, so that areas computed with it are large enough.
_KM_A_DEGREE = 110.5
_PHONE = re.compile(r"\+?[0-9]{10,15}")
_PHONE_MAX = 40


@dataclass(frozen=True)
class Place:
    latitude: float
    longitude: float
    region: str
    address: str
    kato: str = ""

    @property
    def has_point(self) -> bool:
        """Whether the place has coordinates; (0, 0) stands for none."""
        return (self.latitude, self.longitude) != (0.0, 0.0)

    @property
    def cell(self) -> str:
        """The H3 cell of the place at CELL_RESOLUTION, "" without coordinates."""
        if not self.has_point:
            return ""
        return str(h3.latlng_to_cell(self.latitude, self.longitude, CELL_RESOLUTION))

    def cells_within(self, km: float) -> set[str]:
        """Return the H3 cells, at CELL_RESOLUTION, that overlap a square around the place with
        sides of 2 × `km`.

        These are all cells with a point at most `km` away, and a few more. The place must have
        coordinates. Within 5 degrees of a pole, some of the cells are missing.
        """
        north = km / _KM_A_DEGREE
        east = north / cos(radians(min(abs(self.latitude), 85.0)))
        corners = [(-north, -east), (-north, east), (north, east), (north, -east)]
        square = h3.LatLngPoly([(self.latitude + up, self.longitude + on) for up, on in corners])
        overlapping = h3.h3shape_to_cells_experimental(square, CELL_RESOLUTION, contain="overlap")
        return {self.cell, *overlapping}

    def km_to(self, other: "Place") -> float:
        """Return the great-circle distance to the other place, in km."""
        here, there = (self.latitude, self.longitude), (other.latitude, other.longitude)
        return float(h3.great_circle_distance(here, there, unit="km"))


@dataclass(frozen=True)
class SettledPlace:
    """A place whose `region` was determined. `abroad` says whether the place lies outside
    Kazakhstan."""

    place: Place
    abroad: bool = False


@dataclass(frozen=True)
class Reporter:
    """The person who reports; all fields are empty for an anonymous report."""

    iin: str = ""
    name: str = ""
    phone: str = ""

    @property
    def is_anonymous(self) -> bool:
        """Whether no field of the reporter is given."""
        return not (self.iin or self.name or self.phone)


@dataclass(frozen=True)
class Draft:
    """A report as an app sent it, before it is checked. Category, place and `occurred_at` are None
    if the app omitted them or sent an unknown value; texts are "" if omitted."""

    category: Category | None
    place: Place | None
    occurred_at: datetime | None
    text: str
    reporter: Reporter
    language: str
    officer: str
    silent_alarm: bool = False

    def checked(
        self, now: datetime, *, report_id_ok: bool, is_whole: bool = False
    ) -> "CheckedDraft":
        """Return the draft with cleaned texts and with the region of its place. Raises BadRequest,
        which names every wrong field.

        `report_id_ok` says whether the app sent a valid report id. With `is_whole`, no media will
        follow, so that a text is required unless it is a complaint or a silent alarm.
        """
        return self._cleaned()._checked(now, report_id_ok=report_id_ok, is_whole=is_whole)

    def _cleaned(self) -> "Draft":
        """Return the draft with its texts cleaned by the rules of `words`."""
        place, reporter = self.place, self.reporter
        if place is not None:
            place = replace(place, address=cleaned_line(place.address, longest=ADDRESS_MAX))
        return replace(
            self,
            place=place,
            text=cleaned(self.text, longest=TEXT_MAX),
            officer=cleaned(self.officer, longest=OFFICER_MAX),
            reporter=replace(
                reporter,
                name=cleaned_line(reporter.name, longest=NAME_MAX),
                phone=cleaned_phone(reporter.phone, longest=_PHONE_MAX),
            ),
        )

    def _checked(self, now: datetime, *, report_id_ok: bool, is_whole: bool) -> "CheckedDraft":
        with checks() as check:
            check.that(report_id_ok, "report_id", NEW_ID, code="REPORT_ID_WRONG")
            check.that(
                self.category is not None,
                "category",
                "one of the seven kinds",
                code="CATEGORY_UNKNOWN",
            )
            settled = self._checked_place(check)
            self._check_moment(check, now)
            self._check_words(check)
            self._check_silence(check, is_whole=is_whole)
            self._check_reporter(check)
        assert self.category is not None and self.occurred_at is not None and settled is not None
        return CheckedDraft(
            self.category,
            settled.place,
            self.occurred_at,
            self.text,
            self.reporter,
            self.language,
            self.officer,
            settled.abroad,
            self.silent_alarm,
        )

    def _checked_place(self, check: Checks) -> SettledPlace | None:
        place = self.place
        if place is None or not (place.has_point or place.region):
            check.wrong("place", "where it happened", code="PLACE_REQUIRED")
            return None
        if self._needs_point and not place.has_point:
            check.wrong(
                "place", "latitude and longitude of where it happened", code="PLACE_REQUIRED"
            )
            return None
        known = not place.region or place.region in REGIONS
        check.that(known, "place.region", "an ISO code such as KZ-75", code="REGION_UNKNOWN")
        address = place.address
        check_length(check, "place.address", address, longest=ADDRESS_MAX, code="ADDRESS_TOO_LONG")
        settled = self._settled(check, place) if place.has_point else SettledPlace(place)
        check_kato(check, "place.kato", place.kato, settled.place.region)
        return settled

    def _settled(self, check: Checks, place: Place) -> "SettledPlace":
        """Return the place with the region of its coordinates. A place abroad that is accepted gets
        the region that the app gave, else that of the KATO code, else the nearest region."""
        if not is_on_earth(place.latitude, place.longitude):
            check.wrong("place", "degrees of latitude and longitude", code="PLACE_OUTSIDE")
            return SettledPlace(place)
        region = region_of(place.latitude, place.longitude)
        if region is not None:
            return SettledPlace(replace(place, region=region.code))
        if self.category not in TAKEN_FROM_ABROAD:
            check.wrong("place", "a place in Kazakhstan", code="PLACE_ABROAD")
            return SettledPlace(place)
        meant = REGIONS.get(place.region) or region_of_kato(place.kato)
        region = meant or nearest_to(place.latitude, place.longitude)
        return SettledPlace(replace(place, region=region.code), abroad=True)

    @property
    def _needs_point(self) -> bool:
        """Whether coordinates are required: for complaints and OTHER, the region is enough."""
        return self.category not in (Category.COMPLAINT_ABOUT_OFFICER, Category.OTHER, None)

    def _check_moment(self, check: Checks, now: datetime) -> None:
        if self.occurred_at is None:
            check.wrong("occurred_at", "when it happened", code="OCCURRED_AT_REQUIRED")
            return
        check.that(
            self.occurred_at <= now + FUTURE_TOLERANCE,
            "occurred_at",
            "not in the future",
            code="OCCURRED_IN_FUTURE",
        )
        check.that(
            self.occurred_at >= now - PAST_MAX,
            "occurred_at",
            "within the last year",
            code="OCCURRED_TOO_LONG_AGO",
        )

    def _check_words(self, check: Checks) -> None:
        check_length(check, "text", self.text, longest=TEXT_MAX, code="TEXT_TOO_LONG")
        check.that(self.language in LANGUAGES, "language", "kk, ru or en", code="LANGUAGE_UNKNOWN")
        check_length(check, "officer", self.officer, longest=OFFICER_MAX, code="OFFICER_TOO_LONG")
        complaint = self.category is Category.COMPLAINT_ABOUT_OFFICER
        if complaint:
            check.that(
                bool(self.officer),
                "officer",
                "what is known of the officer: name, badge or unit",
                code="OFFICER_REQUIRED",
            )
        elif self.category is not None:
            check.that(
                not self.officer,
                "officer",
                "for complaints about officers alone",
                code="OFFICER_NOT_EXPECTED",
            )

    def _check_silence(self, check: Checks, *, is_whole: bool) -> None:
        """Check that a silent alarm has a category of SILENT_ALARMS and no text and, if `is_whole`,
        that any other draft has a text, unless it is a complaint."""
        if self.silent_alarm and self.category is not None:
            check.that(
                self.category in SILENT_ALARMS,
                "silent_alarm",
                "for domestic violence and incidents with a child alone",
                code="SILENT_ALARM_NOT_EXPECTED",
            )
        if self.silent_alarm:
            check.that(
                not self.text,
                "text",
                "nothing: a silent alarm has no words",
                code="SILENT_ALARM_HAS_TEXT",
            )
        elif is_whole and self.category is not Category.COMPLAINT_ABOUT_OFFICER:
            check.that(bool(self.text), "text", "what happened", code="TEXT_REQUIRED")

    def _check_reporter(self, check: Checks) -> None:
        reporter = self.reporter
        if reporter.iin:
            check.that(
                has_check_digit(reporter.iin),
                "reporter.iin",
                "12 digits with a right check digit",
                code="IIN_INVALID",
            )
        if reporter.phone:
            check.that(
                _PHONE.fullmatch(reporter.phone) is not None,
                "reporter.phone",
                "10 to 15 digits, perhaps after a plus",
                code="PHONE_INVALID",
            )
        check_length(check, "reporter.name", reporter.name, longest=NAME_MAX, code="NAME_TOO_LONG")


@dataclass(frozen=True)
class CheckedDraft:
    category: Category
    place: Place
    occurred_at: datetime
    text: str
    reporter: Reporter
    language: str
    officer: str
    place_abroad: bool
    silent_alarm: bool = False
