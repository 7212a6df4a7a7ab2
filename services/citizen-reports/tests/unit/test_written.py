"""What an operator writes to a reporter says something."""

import pytest
from citizen_reports.model.written import says_something


@pytest.mark.parametrize(
    "text",
    [
        "Меры приняты.",
        "The driver was fined",
        "Шаралар қолданылды, рақмет.",
        "Which lane was it?",
        "Уточните адрес",
    ],
)
def test_a_short_sentence_says_something(text: str) -> None:
    assert says_something(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "?", "...... !!!!! ??", "\u200b\u200b\u200b \u200b\u200b", "👍👍👍 👍👍👍 👍👍"),
        *("Done", "ok ok", "да", "Рассмотрено.", "1234567 890123"),
        *("aaaaaaaa bbbbbbbb", "fixed fixed, fixed! FIXED"),
    ],
)
def test_signs_one_word_and_a_repetition_say_nothing(text: str) -> None:
    assert not says_something(text)
