"""The language that a client gets."""

import pytest
from operator_gateway.http import negotiated_language


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("ru", "ru"),
        ("kk-KZ,ru;q=0.8", "kk"),
        ("fr, ru;q=0.8", "ru"),
        ("fr, en;q=0.2, ru;q=0.8", "ru"),
        ("ru;q=0.5, kk;q=0.9", "kk"),
        ("ru;q=0, kk;q=0.1", "kk"),
        ("RU-kz ; q=1.0", "ru"),
        ("fr", "en"),
        ("*", "en"),
        ("ru;q=x", "en"),
        ("ru;q=9", "en"),
        (";;,,q=,ru;", "ru"),
    ],
)
def test_the_language_liked_best_among_ours_is_spoken(accepted: str, language: str) -> None:
    assert negotiated_language(accepted) == language
