"""Merkle trees of RFC 9162 section 2.1: roots, inclusion and consistency proofs, as pure functions.

Hashes are SHA-256, 32 bytes; leaves are given as hashes. A `Subtree` is perfect: it has 2**level
leaves, and the first one is the leaf `index * 2**level` of the whole tree. A tree of n leaves
consists of perfect subtrees, one for each set bit of n. A "frontier" is the list of the roots of
these subtrees, largest first. Appending needs only the frontier. A proof takes O(log n) roots of
perfect subtrees.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Subtree:
    """A perfect subtree of 2**level leaves; at level 0, the single leaf with that index."""

    level: int
    index: int


class Leaves(NamedTuple):
    """The leaves from `start` up to but excluding `end`; proofs consist of roots of such ranges."""

    start: int
    end: int


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash (RFC 9162) of a leaf that contains the bytes `entry`."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node, from the hashes of its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def append(
    frontier: Sequence[bytes], size: int, leaf: bytes
) -> tuple[list[bytes], dict[Subtree, bytes]]:
    """Append a leaf to a tree of `size` leaves; return the new frontier and the completed subtrees.

    The completed subtrees are those of level 1 and above, each with its root.
    """
    grown, completed, top, index = list(frontier), dict[Subtree, bytes](), leaf, size
    for level in range(1, _trailing_ones(size) + 1):
        top, index = node_hash(grown.pop(), top), index >> 1
        completed[Subtree(level, index)] = top
    return [*grown, top], completed


def root_of(frontier: Sequence[bytes]) -> bytes:
    """The root of the tree with this frontier; for no leaves, the hash of an empty string."""
    if not frontier:
        return hashlib.sha256(b"").digest()
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = node_hash(left, root)
    return root


def root(leaves: Iterable[bytes]) -> bytes:
    """The root of the tree over these leaves, given as their hashes."""
    frontier: list[bytes] = []
    for size, leaf in enumerate(leaves):
        frontier, _ = append(frontier, size, leaf)
    return root_of(frontier)


def inclusion_path(index: int, size: int) -> list[Leaves]:
    """The ranges of leaves whose roots prove that leaf `index` is in a tree of `size` leaves.

    The ranges are ordered as in RFC 9162, 2.1.3.1: from the leaf's sibling up to the root's child.
    Requires 0 <= index < size.
    """
    path, whole = [], Leaves(0, size)
    while whole.end - whole.start > 1:
        left, right = _halves(whole)
        inside, sibling = (left, right) if index < right.start else (right, left)
        path.append(sibling)
        whole = inside
    return path[::-1]


def consistency_path(first: int, second: int) -> list[Leaves]:
    """Return the leaf ranges whose roots prove that the tree of `second` leaves extends the tree of
    `first` leaves.

    Requires 0 <= first <= second. The ranges are ordered as in RFC 9162, 2.1.4.1; there are none if
    `first` is 0 or equals `second`.
    """
    if first in (0, second):
        return []
    path, whole = [], Leaves(0, second)
    while whole.end != first:
        left, right = _halves(whole)
        inside, sibling = (left, right) if first <= right.start else (right, left)
        path.append(sibling)
        whole = inside
    if whole.start > 0:  # else it is the first tree itself, whose root the verifier knows
        path.append(whole)
    return path[::-1]


def subtrees(path: Iterable[Leaves]) -> set[Subtree]:
    """Return the perfect subtrees whose root hashes are needed for a proof.

    `path` is the result of `inclusion_path` or `consistency_path`: ranges of leaves. Each range
    consists of one or more perfect subtrees. Give the root hashes of the returned subtrees to
    `resolve`, which computes the proof.
    """
    return {subtree for leaves in path for subtree in _perfect(leaves)}


def resolve(path: Iterable[Leaves], roots: Mapping[Subtree, bytes]) -> list[bytes]:
    """Return the proof for `path`: the root hash of each range of leaves in the path, in order.

    `path` is the result of `inclusion_path` or `consistency_path`. `roots` has the root hash of
    each subtree in `subtrees(path)`; KeyError is raised if one is missing.
    """
    return [root_of([roots[subtree] for subtree in _perfect(leaves)]) for leaves in path]


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes
) -> bool:
    """Whether `path` proves that the leaf hash `leaf` is at `index` in a tree of `size` leaves.

    See RFC 9162, 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    node, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and result == expected_root


def verify_consistency(
    first: int, second: int, path: Sequence[bytes], first_root: bytes, second_root: bytes
) -> bool:
    """Whether `path` proves that a tree of `second` leaves extends one of `first` leaves.

    See RFC 9162, 2.1.4.2.
    """
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path
    if not path or first > second:
        return False
    proof = list(path)
    if first & (first - 1) == 0:
        proof.insert(0, first_root)
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _halves(leaves: Leaves) -> tuple[Leaves, Leaves]:
    """Split a range in two; the left part has the largest power of two below the total size."""
    count = leaves.end - leaves.start
    middle = leaves.start + (1 << ((count - 1).bit_length() - 1))
    return Leaves(leaves.start, middle), Leaves(middle, leaves.end)


def _perfect(leaves: Leaves) -> list[Subtree]:
    """The perfect subtrees that make up a range, largest first; `start` is aligned to the first."""
    found, start = [], leaves.start
    while start < leaves.end:
        level = (leaves.end - start).bit_length() - 1
        found.append(Subtree(level, start >> level))
        start += 1 << level
    return found


def _trailing_ones(number: int) -> int:
    return (~number & (number + 1)).bit_length() - 1
