"""The table of terms is whole: each class has a term for each part, and says where it is from."""

from itertools import chain

from law.report_retention import read_report_retention

PARTS = ("text", "reporter", "original", "clean", "copies", "audit")


def test_each_class_has_one_term_for_each_part_with_its_source() -> None:
    table = read_report_retention()
    assert set(table.classes) == {"open", "personal", "protected", "sealed"}
    told = [(term.report_class, term.part) for term in table.terms]
    assert sorted(told) == sorted((name, part) for name in table.classes for part in PARTS)
    assert all(term.source for term in table.terms)
    assert any(term.is_assumed for term in table.terms)


def test_a_category_has_one_class() -> None:
    table = read_report_retention()
    every = list(chain.from_iterable(table.classes.values()))
    assert len(every) == len(set(every)) == 7
    assert table.class_of("complaint_about_officer") == "sealed"


def test_an_original_is_not_kept_longer_than_its_form_and_nobody_longer_than_the_text() -> None:
    table = read_report_retention()
    for name in table.classes:
        days = {part: table.term(name, part).days for part in PARTS}
        assert days["audit"] is None
        text, reporter = days["text"], days["reporter"]
        original, clean = days["original"], days["clean"]
        assert text and reporter and original and clean
        assert original <= clean and reporter <= text
