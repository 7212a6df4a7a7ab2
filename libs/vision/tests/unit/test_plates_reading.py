"""Reading, voting and the decision whether a plate is legible."""

import numpy as np
from vision.boxes import Box
from vision.plates.candidates import PlateCandidate
from vision.plates.reading import (
    CHARACTERS,
    Characters,
    Plate,
    characters,
    ranked,
    read,
    settled,
)
from vision.plates.tracks import PlateTracker, voted

QUAD = np.array([[10, 10], [110, 10], [110, 32], [10, 32]], np.float32)


def chances(text: str, confidence: float = 0.99) -> np.ndarray:
    """A reader's answer: each character held for two steps, a blank between."""
    steps = [c for mark in text for c in (mark, mark, "")]
    table = np.full((len(steps), len(CHARACTERS) + 2), (1 - confidence) / 40, np.float32)
    for step, mark in enumerate(steps):
        column = 0 if not mark else 37 if mark == "-" else CHARACTERS.index(mark) + 1
        table[step, column] = confidence
    return table


def seen(text: str, confidence: float = 0.99) -> Characters:
    return characters(chances(text, confidence))


def plate(text: str, confidence: float, *, x: float = 0, score: float = 0.9) -> Plate:
    corners = QUAD + np.array([x, 0], np.float32)
    found = read(PlateCandidate(corners, score), [seen(text, confidence)], seen(text))
    assert found is not None
    return found


def test_characters_collapse_and_others_drop() -> None:
    assert seen("11-A").text == "11A"
    assert len(seen("11-A").confidences) == 3


def test_weakest_character_is_the_confidence() -> None:
    table = chances("498VDZ08")
    table[3, :] = 0.0
    table[3, 10], table[4, 10] = 0.42, 0.4
    found = read(PlateCandidate(QUAD, 0.9), [characters(table)], seen("498VDZ08"))
    assert found is not None
    assert round(found.confidence, 2) == 0.42
    assert not found.legible


def test_views_outvote_a_band_read_as_a_letter() -> None:
    views = [seen("WRK891AU", 0.5), seen("RK891AU"), seen("RK891AU"), seen("RK891AU")]
    found = read(PlateCandidate(QUAD, 0.9), views, seen(""))
    assert found is not None
    assert found.text == "RK891AU"


def test_longer_text_wins_where_support_is_even() -> None:
    views = [seen("A123BC01"), seen("A123BC01"), seen("123BC01"), seen("123BC01")]
    found = read(PlateCandidate(QUAD, 0.9), views, seen("123BC01"))
    assert found is not None
    assert (found.text, found.country) == ("A123BC01", "RU")


def test_second_voter_lowers_the_bar_for_kazakh_plates_only() -> None:
    assert plate("498VDZ08", 0.7).legible
    found = read(PlateCandidate(QUAD, 0.9), [seen("498VDZ08", 0.7)], seen("498VDZ09"))
    assert found is not None
    assert not found.legible
    assert not plate("RK891AU", 0.7).legible


def test_what_only_one_look_took_for_a_plate_is_not_acted_upon() -> None:
    assert plate("RK891AU", 0.99).legible
    assert not plate("RK891AU", 0.99, score=0.45).legible


def test_one_view_settles_what_is_sure_or_agreed_upon() -> None:
    place = PlateCandidate(QUAD, 0.9)
    assert settled(place, [seen("RK891AU", 0.97)], seen(""))
    assert not settled(place, [seen("RK891AU", 0.93)], seen(""))
    assert settled(place, [seen("498VDZ08", 0.7)], seen("498VDZ08"))
    assert not settled(place, [seen("498VDZ08", 0.7)], seen("498VDZ09"))
    assert not settled(place, [seen("GWAGEN")], seen(""))
    assert not settled(PlateCandidate(QUAD, 0.4), [seen("RK891AU")], seen(""))
    assert not settled(place, [seen("RK891AU"), seen("02RK")], seen(""))


def test_text_of_no_known_form_is_never_legible() -> None:
    found = read(PlateCandidate(QUAD, 0.95), [seen("GWAGEN")], seen("GWAGEN"))
    assert found is not None
    assert not found.legible


def test_lettering_is_no_plate() -> None:
    assert read(PlateCandidate(QUAD, 0.95), [seen("INFORMATIKA")], seen("")) is None
    assert read(PlateCandidate(QUAD, 0.4), [seen("DUNLOP")], seen("")) is None
    assert read(PlateCandidate(QUAD, 0.9), [seen("")], seen("")) is None


def test_known_forms_rank_before_others() -> None:
    order = ranked([plate("5A5A5A", 0.95), plate("123ABC02", 0.9)])
    assert [entry.text for entry in order] == ["123ABC02", "5A5A5A"]


def test_votes_count_for_each_character() -> None:
    result = voted([seen("123ABC02", 0.9), seen("128ABC02", 0.6), seen("123ABC02", 0.7)])
    assert result.text == "123ABC02"
    assert result.confidences[2] < result.confidences[0]


def test_votes_choose_the_length_first() -> None:
    assert voted([seen("123ABC02"), seen("123ABC0", 0.5)]).text == "123ABC02"
    assert voted([]).text == ""


def test_track_follows_a_moving_plate_and_keeps_its_best_frame() -> None:
    tracks = PlateTracker()
    assert tracks.add([plate("123ABC02", 0.8)], at=0.0) == []
    assert tracks.add([plate("123ABC02", 0.95, x=30)], at=0.5) == []
    (ended,) = tracks.add([], at=10.0)
    assert (ended.frames, ended.vote.text) == (2, "123ABC02")
    assert ended.best.box == Box(40.0, 10.0, 100.0, 22.0)


def test_two_plates_are_two_tracks() -> None:
    tracks = PlateTracker()
    tracks.add([plate("123ABC02", 0.9), plate("456DEF01", 0.9, x=300)], at=0.0)
    tracks.add([plate("123ABC02", 0.9, x=5), plate("456DEF01", 0.9, x=305)], at=0.2)
    assert sorted(track.vote.text for track in tracks.finish()) == ["123ABC02", "456DEF01"]


def unsure(text: str, place: int, other: str, share: float) -> Characters:
    """A reader's answer that holds another character possible in one place."""
    table = chances(text)
    for step in (3 * place, 3 * place + 1):
        table[step, CHARACTERS.index(text[place]) + 1] = 0.99 - share
        table[step, CHARACTERS.index(other) + 1] = share
    return characters(table)


def test_a_reader_tells_the_chance_of_what_looks_like_a_character() -> None:
    told = unsure("6822FZ02", 3, "Z", 0.3)
    assert told.text == "6822FZ02"
    assert told.alternatives[3] == np.float32(0.3)
    assert told.alternatives[4] == 0.0  # nothing looks like an F
    assert told.possible == {3}


def test_a_mended_character_has_its_own_chance_and_is_never_acted_upon() -> None:
    for voter in ("682ZFZ02", ""):
        found = read(PlateCandidate(QUAD, 0.95), [unsure("6822FZ02", 3, "Z", 0.3)], seen(voter))
        assert found is not None
        assert (found.text, found.country) == ("682ZFZ02", "KZ")
        assert round(found.confidence, 2) == 0.3
        assert not found.legible


def test_what_the_reader_did_not_hold_possible_stays_in_no_known_form() -> None:
    found = read(PlateCandidate(QUAD, 0.95), [unsure("6822FZ02", 3, "Z", 0.05)], seen("682ZFZ02"))
    assert found is not None
    assert (found.text, found.country, found.legible) == ("6822FZ02", "", False)


def test_a_square_plates_rows_are_mended_where_the_reader_held_it_possible() -> None:
    rows = ([unsure("022BC", 2, "Z", 0.2)], [seen("123")])
    found = read(PlateCandidate(QUAD, 0.95), [seen("")], seen(""), rows)
    assert found is not None
    assert (found.text, round(found.confidence, 2), found.legible) == ("123ZBC02", 0.2, False)


def test_readings_of_other_frames_outvote_a_mended_one() -> None:
    tracks = PlateTracker()
    mended = read(PlateCandidate(QUAD, 0.95), [unsure("6822FZ02", 3, "Z", 0.3)], seen(""))
    assert mended is not None
    tracks.add([mended], at=0.0)
    tracks.add([plate("682SFZ02", 0.95)], at=0.5)
    [track] = tracks.finish()
    assert track.vote.text == "682SFZ02"
