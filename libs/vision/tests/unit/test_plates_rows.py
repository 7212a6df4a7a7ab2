"""Rows of a plate are found on rendered ones, and their texts become one reading."""

import numpy as np
import pytest
from tartip_scenes.forms import ONE_LINE_KAZAKH_KINDS, TWO_ROW_KAZAKH_KINDS, PlateKind
from tartip_scenes.lettering import HELD_OUT_FONTS
from tartip_scenes.plates import draw_plate
from tartip_scenes.wear import paste_plate
from vision.plates import crops
from vision.plates.candidates import PlateCandidate
from vision.plates.grammar import rows_understood, two_rows
from vision.plates.reading import CHARACTERS, Characters, read
from vision.plates.rows import row_pictures, rows_of, tilted
from vision.plates.views import READER_HEIGHT

TURNED = np.array([[60, 50], [186, 64], [180, 150], [56, 132]], np.float32)
FLAT = np.array([[40, 60], [240, 60], [240, 103], [40, 103]], np.float32)


def shown(kind: PlateKind, seed: int, corners: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(seed)
    street = rng.integers(90, 130, (200, 300, 3), np.uint8)
    return paste_plate(street, draw_plate(rng, kind=kind, fonts=HELD_OUT_FONTS), corners)


def seen(text: str, confidence: float = 0.97) -> Characters:
    return Characters(text, (confidence,) * len(text))


@pytest.mark.parametrize("kind", TWO_ROW_KAZAKH_KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_square_plate_has_two_rows_that_part_in_its_middle(kind: PlateKind, seed: int) -> None:
    spans = rows_of(shown(kind, seed, TURNED), TURNED).spans
    assert len(spans) == 2
    assert 0.42 < spans[0][1] < 0.58
    assert (spans[0][0], spans[0][1], spans[1][1]) == (0.0, spans[1][0], 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_motorcycle_plate_of_three_rows_has_three(seed: int) -> None:
    picture = shown(PlateKind.UKRAINE_MOTORCYCLE, seed, TURNED)
    assert len(rows_of(picture, TURNED).spans) == 3


@pytest.mark.parametrize("kind", ONE_LINE_KAZAKH_KINDS)
def test_plate_of_one_line_has_no_rows(kind: PlateKind) -> None:
    assert rows_of(shown(kind, 3, FLAT), FLAT).spans == ()
    askew = FLAT * np.array([0.45, 1], np.float32) + np.array([60, 0], np.float32)
    assert rows_of(shown(kind, 3, askew), askew).spans == ()


@pytest.mark.parametrize("tilt", [-0.2, 0.2])
def test_rows_are_found_along_lines_that_the_corners_do_not_follow(tilt: float) -> None:
    picture = shown(PlateKind.UKRAINE_MOTORCYCLE, 2, TURNED)
    found = rows_of(picture, tilted(TURNED, tilt))
    assert len(found.spans) == 3
    assert found.tilt * tilt < 0
    assert rows_of(picture, TURNED).tilt == 0


def test_small_print_above_is_a_row_of_its_own() -> None:
    tall = (FLAT * [1, 1.5]).astype(np.float32)
    above, below = rows_of(shown(PlateKind.BRAZIL, 2, tall), tall).spans
    assert above[1] < 0.4 < below[1]


def test_each_row_is_as_high_as_the_reader_wants_it() -> None:
    picture = shown(PlateKind.SQUARE, 1, TURNED)
    crops = row_pictures(picture, TURNED, rows_of(picture, TURNED).spans)
    assert [crop.shape[0] for crop in crops] == [READER_HEIGHT, READER_HEIGHT]
    assert all(crop.shape[1] > 2 * READER_HEIGHT for crop in crops)


def test_answers_of_one_batch_find_their_rows_again() -> None:
    line = crops.PlateLayout(PlateCandidate(FLAT, 0.9), ())
    square = crops.PlateLayout(PlateCandidate(TURNED, 0.9), ((0.0, 0.5), (0.5, 1.0)))
    picture = shown(PlateKind.SQUARE, 1, TURNED)
    count = sum(len(crops.crops(picture, one, crops.MORE)) for one in (line, square))
    answers = [seen(CHARACTERS[place] * 3) for place in range(count)]
    first, second = crops.texts(answers, [line, square], crops.MORE)
    assert (len(first.line), first.rows) == (3, ())
    assert second.line == []
    assert [[text.text[0] for text in row] for row in second.rows] == [["3", "5"], ["4", "6"]]


def test_a_narrow_plate_of_one_line_is_shown_drawn_out() -> None:
    pressed = np.array([[100, 100], [160, 120], [160, 160], [100, 140]], np.float32)
    picture = shown(PlateKind.UKRAINE, 2, pressed)
    cut = crops.crops(picture, crops.PlateLayout(PlateCandidate(pressed, 0.9), ()), crops.MORE)
    assert [crop.shape[1] > 200 for crop in cut] == [False, True, True]
    straight = crops.crops(picture, crops.PlateLayout(PlateCandidate(FLAT, 0.9), ()), crops.MORE)
    assert len(straight) == len(cut)


def test_further_views_join_the_first() -> None:
    first = crops.Texts([seen("A1")], ([seen("B")], [seen("C")]))
    more = crops.Texts([seen("A2")], ([seen("D")], [seen("E")]))
    joined = first.with_more(more)
    assert [text.text for text in joined.line] == ["A1", "A2"]
    assert [[text.text for text in row] for row in joined.rows] == [["D", "B"], ["E", "C"]]


def test_no_more_is_shown_than_one_batch_holds() -> None:
    square = crops.PlateLayout(PlateCandidate(TURNED, 0.9), ((0.0, 0.5), (0.5, 1.0)))
    kept = crops.affordable([square] * 12)
    assert sum(crops.MORE.count(one) for one in kept) <= crops.MOST_CROPS


def test_rows_are_written_in_the_order_of_one_line() -> None:
    rows = ([seen("KZ02ABC"), seen("02ABC")], [seen("123", 0.91), seen("123", 0.95)])
    plate = read(PlateCandidate(TURNED, 0.9), [seen("")], seen(""), rows)
    assert plate is not None
    assert (plate.text, plate.country, plate.plate_type) == ("123ABC02", "KZ", "square")
    assert plate.character_confidences == (0.95,) * 3 + (0.97,) * 5
    assert plate.legible


def test_number_below_small_print_is_the_plate() -> None:
    rows = ([seen("RECIFEPE")], [seen("PVX0095")])
    plate = read(PlateCandidate(FLAT, 0.9), [seen("")], seen(""), rows)
    assert plate is not None
    assert (plate.text, plate.country) == ("PVX0095", "")


def test_rows_of_words_are_no_plate() -> None:
    rows = ([seen("SALON")], [seen("KRASY")])
    assert read(PlateCandidate(FLAT, 0.9), [seen("")], seen(""), rows) is None


def test_where_the_rows_part_tells_a_letter_from_a_digit() -> None:
    reading = two_rows("12AB0", "34")
    assert reading is not None
    assert (reading.text, reading.exchanged) == ("34ABO12", (4,))
    plain = two_rows("12AB", "034")
    assert plain is not None
    assert (plain.text, plain.exchanged) == ("034AB12", ())


def test_foreign_rows_stay_foreign() -> None:
    assert rows_understood(("APET", "7007")).country == "UA"
    assert rows_understood(("10922", "BX")).plate_type == "foreign"
    assert rows_understood(("BE", "0886", "AA")).country == "UA"
    assert not rows_understood(("BR", "AT31")).fits
