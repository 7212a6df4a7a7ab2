"""What may be handed in: drafts, places, pieces of pictures; and where it goes."""

import random
import statistics
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from chassis.refusals import BadRequest
from citizen_reports.model.categories import TAKEN_FROM_ABROAD, Category
from citizen_reports.model.draft import CheckedDraft, Draft, Place, Reporter
from citizen_reports.model.media import (
    Announced,
    Media,
    MediaState,
    Piece,
    check_piece,
)
from citizen_reports.model.refusals import MediaDiffers, MediaGap
from law.identity_numbers import has_check_digit
from law.plates import plate_as_read
from law.report_routing import read_report_routing

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
ROUTING = read_report_routing()
DRAFT = Draft(
    category=Category.TRAFFIC_VIOLATION,
    place=Place(43.2389, 76.9455, "KZ-75", ""),
    occurred_at=NOW,
    text="",
    reporter=Reporter(),
    language="kk",
    officer="",
)


def test_the_cells_within_50_m_hold_every_place_so_near_and_few_others() -> None:
    draw = random.Random(9)
    counts = []
    for _ in range(500):
        place = Place(draw.uniform(40.5, 55.5), draw.uniform(46.4, 87.4), "", "")
        cells = place.cells_within(0.05)
        counts.append(len(cells))
        for _ in range(20):
            north, east = draw.uniform(-0.0005, 0.0005), draw.uniform(-0.0009, 0.0009)
            other = Place(place.latitude + north, place.longitude + east, "", "")
            assert other.cell in cells or place.km_to(other) > 0.05
    assert statistics.mean(counts) < 2


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(90.0, 0.0), (-90.0, 7.0), (12.0, 180.0), (12.0, -180.0)]
)
def test_a_place_at_the_edge_of_the_map_has_cells_around_it(
    latitude: float, longitude: float
) -> None:
    place = Place(latitude, longitude, "", "")
    assert place.cell in place.cells_within(0.05)


def codes(**changes: Any) -> set[str]:
    with pytest.raises(BadRequest) as caught:
        replace(DRAFT, **changes).checked(NOW, report_id_ok=True)
    return {error.code for error in caught.value.fields}


def test_a_right_draft_is_taken() -> None:
    assert DRAFT.checked(NOW, report_id_ok=True).place.region == "KZ-75"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"category": None}, "CATEGORY_UNKNOWN"),
        ({"place": None}, "PLACE_REQUIRED"),
        ({"place": Place(0.0, 0.0, "", "")}, "PLACE_REQUIRED"),
        ({"place": Place(0.0, 0.0, "KZ-75", "")}, "PLACE_REQUIRED"),
        ({"place": Place(55.75, 37.61, "", "")}, "PLACE_ABROAD"),
        ({"place": Place(43.24, 376.95, "KZ-75", "")}, "PLACE_OUTSIDE"),
        ({"place": Place(43.2389, 76.9455, "KZ-ALA", "")}, "REGION_UNKNOWN"),
        ({"place": Place(43.2389, 76.9455, "", "", "75111000")}, "KATO_WRONG"),
        ({"place": Place(43.2389, 76.9455, "KZ-71", "", "711110000")}, "KATO_MISMATCH"),
        ({"place": Place(43.2389, 76.9455, "KZ-75", "x" * 501)}, "ADDRESS_TOO_LONG"),
        ({"occurred_at": None}, "OCCURRED_AT_REQUIRED"),
        ({"occurred_at": NOW + timedelta(minutes=6)}, "OCCURRED_IN_FUTURE"),
        ({"occurred_at": NOW - timedelta(days=400)}, "OCCURRED_TOO_LONG_AGO"),
        ({"text": "x" * 4001}, "TEXT_TOO_LONG"),
        ({"language": ""}, "LANGUAGE_UNKNOWN"),
        ({"officer": "x"}, "OFFICER_NOT_EXPECTED"),
        ({"category": Category.COMPLAINT_ABOUT_OFFICER}, "OFFICER_REQUIRED"),
        ({"reporter": Reporter(iin="900101300018")}, "IIN_INVALID"),
        ({"reporter": Reporter(phone="call me")}, "PHONE_INVALID"),
        ({"reporter": Reporter(name="x" * 201)}, "NAME_TOO_LONG"),
        ({"reporter": Reporter(phone="٠" * 11)}, "PHONE_INVALID"),
        ({"text": "x" * 2**20}, "TEXT_TOO_LONG"),
        ({"occurred_at": datetime(1970, 1, 1, tzinfo=UTC)}, "OCCURRED_TOO_LONG_AGO"),
        ({"occurred_at": NOW + timedelta(days=1)}, "OCCURRED_IN_FUTURE"),
        ({"silent_alarm": True}, "SILENT_ALARM_NOT_EXPECTED"),
        (
            {"silent_alarm": True, "category": Category.DOMESTIC_VIOLENCE, "text": "x"},
            "SILENT_ALARM_HAS_TEXT",
        ),
        (
            {"category": Category.COMPLAINT_ABOUT_OFFICER, "officer": "\u200b \n"},
            "OFFICER_REQUIRED",
        ),
    ],
)
def test_each_wrong_field_has_its_own_code(changes: dict[str, Any], code: str) -> None:
    assert codes(**changes) == {code}


def test_what_is_handed_in_at_once_says_something() -> None:
    """Media may follow a draft; a report that is handed in at once has none."""

    def is_taken(**changes: Any) -> bool:
        given = replace(DRAFT, **changes)
        given.checked(NOW, report_id_ok=True)
        try:
            given.checked(NOW, report_id_ok=True, is_whole=True)
        except BadRequest as refusal:
            assert [(each.field, each.code) for each in refusal.fields] == [
                ("text", "TEXT_REQUIRED")
            ]
            return False
        return True

    assert [is_taken(text=text) for text in ("", " ", "\u200b", "help")] == [False] * 3 + [True]
    complaint = {"category": Category.COMPLAINT_ABOUT_OFFICER, "officer": "badge 1"}
    assert is_taken(**complaint)
    for category in Category:
        if category is not Category.COMPLAINT_ABOUT_OFFICER:
            assert not is_taken(category=category)
    for category in (Category.DOMESTIC_VIOLENCE, Category.INCIDENT_WITH_CHILD):
        assert is_taken(category=category, silent_alarm=True, text="\u200b")


def test_what_is_checked_is_what_is_stored() -> None:
    given = replace(
        DRAFT,
        text="a\x00 b\u202e",
        place=Place(43.2389, 76.9455, "KZ-75", "Абай\n44\u200b"),
        reporter=Reporter(name=" Test\tPerson ", phone="+7 (701) 000-00-00"),
    )
    checked = given.checked(NOW, report_id_ok=True)
    assert (checked.text, checked.place.address) == ("a b", "Абай 44")
    assert checked.reporter == Reporter("", "Test Person", "+77010000000")


def test_the_limit_counts_what_is_kept() -> None:
    kept = replace(DRAFT, text="\u200b" * 3000 + "x" * 4000).checked(NOW, report_id_ok=True)
    assert kept.text == "x" * 4000


def test_all_wrong_fields_are_told_at_once() -> None:
    assert codes(language="", text="x" * 4001, occurred_at=None) == {
        "LANGUAGE_UNKNOWN",
        "TEXT_TOO_LONG",
        "OCCURRED_AT_REQUIRED",
    }


def settled(**changes: Any) -> CheckedDraft:
    return replace(DRAFT, **changes).checked(NOW, report_id_ok=True)


@pytest.mark.parametrize("given", ["", "KZ-75", "KZ-71", "KZ-19"])
def test_the_place_decides_its_region_whatever_was_given(given: str) -> None:
    right = settled(place=Place(43.2389, 76.9455, given, "Abai 44", "751110000"))
    assert (right.place.region, right.place_abroad) == ("KZ-75", False)
    assert (right.place.address, right.place.kato) == ("Abai 44", "751110000")


def test_five_kilometres_beyond_the_border_a_place_is_the_nearest_regions() -> None:
    at_the_border = Place(41.45, 69.18, "", "")  # Chernyaevka's bridge, on the other bank
    assert settled(place=at_the_border).place.region == "KZ-61"


TASHKENT = Place(41.2995, 69.2401, "", "")


@pytest.mark.parametrize("category", sorted(set(Category) - TAKEN_FROM_ABROAD))
def test_what_is_neither_danger_nor_crime_is_refused_from_abroad(category: Category) -> None:
    officer = "badge 1" if category is Category.COMPLAINT_ABOUT_OFFICER else ""
    assert codes(category=category, officer=officer, place=TASHKENT) == {"PLACE_ABROAD"}


@pytest.mark.parametrize("category", sorted(TAKEN_FROM_ABROAD))
@pytest.mark.parametrize(
    ("region", "kato", "goes_to"),
    [("KZ-75", "", "KZ-75"), ("", "711110000", "KZ-71"), ("", "", "KZ-61")],
    ids=["region given", "district given", "nearest"],
)
def test_danger_crimes_and_threats_are_taken_from_abroad_for_a_person(
    category: Category, region: str, kato: str, goes_to: str
) -> None:
    taken = settled(category=category, place=replace(TASHKENT, region=region, kato=kato))
    assert (taken.place.region, taken.place_abroad) == (goes_to, True)
    assert ROUTING.unit_for(category, goes_to, NOW, abroad=True) == f"{goes_to}-manual"


def test_every_wrong_part_of_a_place_is_told_at_once() -> None:
    wrong = replace(TASHKENT, region="KZ-ALA", kato="x", address="x" * 501)
    expected = {"PLACE_ABROAD", "REGION_UNKNOWN", "KATO_WRONG", "ADDRESS_TOO_LONG"}
    assert codes(place=wrong) == expected


def test_a_complaint_needs_a_region_but_no_point() -> None:
    complaint = replace(
        DRAFT,
        category=Category.COMPLAINT_ABOUT_OFFICER,
        officer="badge 1",
        place=Place(0.0, 0.0, "KZ-75", ""),
    )
    assert complaint.checked(NOW, report_id_ok=True).place.region == "KZ-75"


@pytest.mark.parametrize("iin", ["061211600012", "900101300017"])
def test_an_iin_with_a_right_check_digit_is_one(iin: str) -> None:
    assert has_check_digit(iin)


@pytest.mark.parametrize("iin", ["900101300018", "90010130001", "٩٠٠١٠١٣٠٠٠١٧", "9001013000170"])
def test_other_digits_are_no_iin(iin: str) -> None:
    assert not has_check_digit(iin)


@pytest.mark.parametrize(
    ("category", "hour", "unit"),
    [
        (Category.TRAFFIC_VIOLATION, 10, "KZ-75-traffic"),
        (Category.TRAFFIC_VIOLATION, 3, "KZ-75-duty"),
        (Category.TRAFFIC_VIOLATION, 20, "KZ-75-duty"),
        (Category.ROAD_ACCIDENT, 10, "KZ-75-duty"),
        (Category.DOMESTIC_VIOLENCE, 3, "KZ-75-protection"),
        (Category.INCIDENT_WITH_CHILD, 12, "KZ-75-protection"),
        (Category.OTHER, 12, "KZ-75-order"),
        (Category.COMPLAINT_ABOUT_OFFICER, 12, "internal-security"),
    ],
)
def test_a_unit_follows_from_category_region_and_hour(
    category: Category, hour: int, unit: str
) -> None:
    moment = datetime(2026, 6, 3, hour, tzinfo=UTC) - timedelta(hours=5)
    assert ROUTING.unit_for(category, "KZ-75", moment) == unit


def test_what_no_rule_covers_goes_to_the_manual_queue() -> None:
    assert replace(ROUTING, rules=()).unit_for(Category.OTHER, "KZ-75", NOW) == "KZ-75-manual"


def test_a_complaint_can_be_sent_to_oversight_alone() -> None:
    units = ROUTING.units_for(Category.COMPLAINT_ABOUT_OFFICER, "KZ-75")
    assert units == {"internal-security"}
    for category in set(Category) - {Category.COMPLAINT_ABOUT_OFFICER}:
        assert "internal-security" not in ROUTING.units_for(category, "KZ-75")


TOLD = Announced(total_bytes=10, sha256="a" * 64, content_type="image/png")
MEDIA = Media(UUID(int=1), UUID(int=2), TOLD, 4, MediaState.RECEIVING)


@pytest.mark.parametrize(
    ("offset", "content", "new"),
    [(4, b"4567", b"4567"), (0, b"0123", b""), (2, b"2345", b"45"), (4, b"456789", b"456789")],
)
def test_what_arrived_already_is_not_taken_twice(offset: int, content: bytes, new: bytes) -> None:
    assert MEDIA.new_part_of(Piece(UUID(int=2), offset, content, TOLD)) == new


def test_a_piece_is_of_the_same_file_whatever_its_type_is_called() -> None:
    renamed = replace(TOLD, content_type="image/heic")
    assert MEDIA.new_part_of(Piece(UUID(int=2), 4, b"4", renamed)) == b"4"


@pytest.mark.parametrize(
    ("content_type", "most_mib"), [("image/heic", 20), ("audio/amr", 20), ("video/quicktime", 100)]
)
def test_each_kind_of_file_has_its_own_largest_size(content_type: str, most_mib: int) -> None:
    for size, codes in ((most_mib * 1024**2, []), (most_mib * 1024**2 + 1, ["MEDIA_TOO_LARGE"])):
        piece = Piece(UUID(int=2), 0, b"0", Announced(size, "a" * 64, content_type))
        assert [error.code for error in wrong_fields(piece)] == codes


def wrong_fields(piece: Piece) -> list[Any]:
    try:
        check_piece(piece, media_id_ok=True)
    except BadRequest as error:
        return list(error.fields)
    return []


def test_a_gap_tells_from_where_to_go_on() -> None:
    with pytest.raises(MediaGap) as caught:
        MEDIA.new_part_of(Piece(UUID(int=2), 5, b"5", TOLD))
    assert caught.value.facts == {"received_bytes": "4"}


def test_a_piece_of_something_else_is_refused() -> None:
    for other in (replace(TOLD, sha256="b" * 64), replace(TOLD, total_bytes=11)):
        with pytest.raises(MediaDiffers):
            MEDIA.new_part_of(Piece(UUID(int=2), 4, b"4", other))
    with pytest.raises(MediaDiffers):
        MEDIA.new_part_of(Piece(UUID(int=2), 4, b"4567890", TOLD))


def test_a_piece_is_checked_whole() -> None:
    wrong = Piece(UUID(int=2), -1, b"", Announced(101 * 1024**2, "x", "text/html"))
    with pytest.raises(BadRequest) as caught:
        check_piece(wrong, media_id_ok=False)
    assert {error.code for error in caught.value.fields} == {
        "MEDIA_ID_WRONG",
        "OFFSET_WRONG",
        "CONTENT_REQUIRED",
        "MEDIA_TOO_LARGE",
        "SHA256_WRONG",
        "MEDIA_TYPE_UNKNOWN",
    }


@pytest.mark.parametrize(
    ("typed", "plate"),
    [
        ("453 DXA 12", "453DXA12"),
        ("453dха12", "453DXA12"),
        ("KZ 453 DXA 12", "453DXA12"),
        ("А123ВС", "A123BC"),
        ("", ""),
        ("?", ""),
        ("ABCDEF", ""),
        ("123456", ""),
        ("453DXA12; DROP", ""),
    ],
)
def test_a_plate_is_brought_to_one_form_or_refused(typed: str, plate: str) -> None:
    assert plate_as_read(typed) == plate
