"""Events and audit entries of one item name each other, and not those of a whole batch."""

import pytest
from statements.links import Links


def grouped(added: str) -> list[tuple[str, str]]:
    """The groups of events (capitals) and entries (small letters), added in this order."""
    links = Links[str, str]()
    for name in added:
        (links.add_event if name.isupper() else links.add_entry)(name)
    return [("".join(group.events), "".join(group.entries)) for group in links.groups()]


@pytest.mark.parametrize(
    ("added", "groups"),
    [
        ("", []),
        ("A", [("A", "")]),
        ("aA", [("A", "a")]),
        ("AaBbCc", [("A", "a"), ("B", "b"), ("C", "c")]),
        ("aAbBcC", [("A", "a"), ("B", "b"), ("C", "c")]),
        ("ABa", [("AB", "a")]),
        ("abA", [("A", "ab")]),
        ("AabBc", [("A", "ab"), ("B", "c")]),
    ],
)
def test_neighbours_form_a_group(added: str, groups: list[tuple[str, str]]) -> None:
    assert grouped(added) == groups


def test_what_is_left_at_the_end_belongs_to_the_group_before() -> None:
    assert grouped("AaB") == [("AB", "a")]
    assert grouped("aAb") == [("A", "ab")]


def test_a_batch_does_not_make_the_groups_grow() -> None:
    assert {len(events) for events, _ in grouped("Aa" * 100)} == {1}
