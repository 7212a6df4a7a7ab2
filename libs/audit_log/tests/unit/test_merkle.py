"""Proofs of RFC 9162 hold for every honest tree and for no dishonest one."""

from math import log2

import pytest
from audit_log import merkle
from hypothesis import given
from hypothesis import strategies as st

entries = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


def leaves_of(content: list[bytes]) -> list[bytes]:
    return [merkle.leaf_hash(entry) for entry in content]


def roots_of(leaves: list[bytes]) -> dict[merkle.Subtree, bytes]:
    """What the sealer keeps: the roots of all perfect subtrees."""
    frontier: list[bytes] = []
    roots = {merkle.Subtree(0, index): leaf for index, leaf in enumerate(leaves)}
    for size, leaf in enumerate(leaves):
        frontier, completed = merkle.append(frontier, size, leaf)
        roots |= completed
    return roots


def inclusion(leaves: list[bytes], index: int) -> list[bytes]:
    return merkle.resolve(merkle.inclusion_path(index, len(leaves)), roots_of(leaves))


def consistency(leaves: list[bytes], first: int) -> list[bytes]:
    return merkle.resolve(merkle.consistency_path(first, len(leaves)), roots_of(leaves))


class WholeTree:
    """The RFC's own definitions (sections 2.1.1, 2.1.3.1 and 2.1.4.1), from every leaf."""

    @classmethod
    def root(cls, leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return leaves[0]
        split = cls.split(leaves)
        return merkle.node_hash(cls.root(leaves[:split]), cls.root(leaves[split:]))

    @classmethod
    def inclusion(cls, leaves: list[bytes], index: int) -> list[bytes]:
        if len(leaves) == 1:
            return []
        split = cls.split(leaves)
        if index < split:
            return [*cls.inclusion(leaves[:split], index), cls.root(leaves[split:])]
        return [*cls.inclusion(leaves[split:], index - split), cls.root(leaves[:split])]

    @classmethod
    def consistency(cls, leaves: list[bytes], first: int) -> list[bytes]:
        return [] if first in (0, len(leaves)) else cls.subproof(leaves, first, whole=True)

    @classmethod
    def subproof(cls, leaves: list[bytes], first: int, *, whole: bool) -> list[bytes]:
        if first == len(leaves):
            return [] if whole else [cls.root(leaves)]
        split = cls.split(leaves)
        if first <= split:
            left = cls.subproof(leaves[:split], first, whole=whole)
            return [*left, cls.root(leaves[split:])]
        right = cls.subproof(leaves[split:], first - split, whole=False)
        return [*right, cls.root(leaves[:split])]

    @staticmethod
    def split(leaves: list[bytes]) -> int:
        return 1 << ((len(leaves) - 1).bit_length() - 1)


def test_the_known_roots_of_rfc_9162_style_trees() -> None:
    assert merkle.root([]).hex().startswith("e3b0c44298fc1c14")
    assert merkle.root(leaves_of([b""])).hex().startswith("6e340b9cffb37a98")


@given(entries)
def test_appending_one_by_one_gives_the_root_of_the_whole(content: list[bytes]) -> None:
    assert merkle.root(leaves_of(content)) == WholeTree.root(leaves_of(content))


@pytest.mark.parametrize("size", range(1, 34))
def test_proofs_from_the_kept_subtrees_are_those_of_the_whole_tree(size: int) -> None:
    leaves = leaves_of([bytes([number]) for number in range(size)])
    for index in range(size):
        assert inclusion(leaves, index) == WholeTree.inclusion(leaves, index)
    for first in range(size + 1):
        assert consistency(leaves, first) == WholeTree.consistency(leaves, first)


@given(st.integers(2, 10**15), st.data())
def test_a_proof_needs_few_subtrees_however_long_the_log(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    for path in (merkle.inclusion_path(index, size), merkle.consistency_path(index, size)):
        assert len(merkle.subtrees(path)) <= 2 * log2(size) + 1


@given(entries, st.data())
def test_inclusion_holds_for_the_leaf_and_for_no_other(
    content: list[bytes], data: st.DataObject
) -> None:
    leaves = leaves_of(content)
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, root = inclusion(leaves, index), merkle.root(leaves)
    assert merkle.verify_inclusion(leaves[index], index, len(leaves), path, root)
    assert not merkle.verify_inclusion(
        merkle.leaf_hash(b"other!!!!"), index, len(leaves), path, root
    )
    assert not merkle.verify_inclusion(leaves[index], len(leaves), len(leaves), path, root)


@given(entries, st.data())
def test_consistency_shows_a_changed_beginning(content: list[bytes], data: st.DataObject) -> None:
    leaves = leaves_of(content)
    first = data.draw(st.integers(1, len(leaves)))
    path = consistency(leaves, first)
    old, new = merkle.root(leaves[:first]), merkle.root(leaves)
    assert merkle.verify_consistency(first, len(leaves), path, old, new)
    forged = merkle.root([merkle.leaf_hash(b"forged!!!"), *leaves[1:first]])
    assert not merkle.verify_consistency(first, len(leaves), path, forged, new)
