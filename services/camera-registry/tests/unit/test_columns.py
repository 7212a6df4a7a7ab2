"""Texts that go to PostgreSQL as one parameter."""

import pytest
from camera_registry.storage.columns import texts


def test_texts_are_told_apart_and_an_empty_one_is_one() -> None:
    assert texts(["", "Абай 1", ""]).split("\x1f")[1:] == ["", "Абай 1", ""]
    assert texts([""]).split("\x1f")[1:] == [""]


def test_a_text_with_the_separator_is_not_taken_for_two() -> None:
    with pytest.raises(ValueError, match="separator"):
        texts(["a\x1fb"])
