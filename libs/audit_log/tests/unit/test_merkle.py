"""Proofs of RFC 9162 hold for every honest tree and for no dishonest one."""

from audit_log import merkle
from hypothesis import given
from hypothesis import strategies as st

entries = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


def leaves_of(content: list[bytes]) -> list[bytes]:
    return [merkle.leaf_hash(entry) for entry in content]


def test_the_known_roots_of_rfc_9162_style_trees() -> None:
    assert merkle.root([]).hex().startswith("e3b0c44298fc1c14")
    assert merkle.root(leaves_of([b""])).hex().startswith("6e340b9cffb37a98")


@given(entries)
def test_appending_one_by_one_gives_the_root_of_the_whole(content: list[bytes]) -> None:
    frontier: list[bytes] = []
    for size, leaf in enumerate(leaves_of(content)):
        frontier = merkle.append(frontier, size, leaf)
    assert merkle.root_of(frontier) == merkle.root(leaves_of(content))


@given(entries, st.data())
def test_inclusion_holds_for_the_leaf_and_for_no_other(
    content: list[bytes], data: st.DataObject
) -> None:
    leaves = leaves_of(content)
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, root = merkle.inclusion_path(leaves, index), merkle.root(leaves)
    assert merkle.verify_inclusion(leaves[index], index, len(leaves), path, root)
    assert not merkle.verify_inclusion(
        merkle.leaf_hash(b"other!!!!"), index, len(leaves), path, root
    )
    assert not merkle.verify_inclusion(leaves[index], len(leaves), len(leaves), path, root)


@given(entries, st.data())
def test_consistency_shows_a_changed_beginning(content: list[bytes], data: st.DataObject) -> None:
    leaves = leaves_of(content)
    first = data.draw(st.integers(1, len(leaves)))
    path = merkle.consistency_path(leaves, first)
    old, new = merkle.root(leaves[:first]), merkle.root(leaves)
    assert merkle.verify_consistency(first, len(leaves), path, old, new)
    forged = merkle.root([merkle.leaf_hash(b"forged!!!"), *leaves[1:first]])
    assert not merkle.verify_consistency(first, len(leaves), path, forged, new)
