"""Finds words of danger in what a reporter writes, by a lexicon in Kazakh, Russian and English.

The lexicon is data (`lexicon/danger-words.json`). A form of it is one or several parts that stand
near each other in a sentence, in any order; a part is a list of stems, each alone or with the
endings of a noun, verb or adjective. Kazakh stems are found too where somebody types without the
letters that Russian does not have. What is found does not count if it is denied, long past, part of
a harmless expression ("dead zone"), or the title of something.
"""

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

REASONS_MAX = 10
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*|[.!?\n]|[,;:—()]|[«»“”\"]")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_TYPED_AS = {ord(kazakh): typed for kazakh, typed in zip("әғқңөұүһі", "агкноуухи", strict=True)}
# Shorter stems, typed without Kazakh letters, are other words too ("орт" is in "орта").
_FOLDED_MIN = 5
_NONE = re.compile("")
_TITLE_WORDS_MAX = 6
# How far before its title, in words, the word "film" may stand.
_TITLE_APART_MAX = 2


@dataclass(frozen=True)
class Reason:
    """A danger, such as "weapon", and the words of the text that mean it."""

    danger: str
    words: str


@dataclass(frozen=True)
class _Word:
    text: str
    sentence: int
    clause: int
    quotation: int


class _Forms:
    """Forms of the lexicon, found by the beginnings of their stems."""

    def __init__(self, endings: Mapping[str, Mapping[str, str]], apart_max: int) -> None:
        self._endings = {
            (language, form): (re.compile(ending), re.compile(ending.translate(_TYPED_AS)))
            for language, forms in endings.items()
            for form, ending in forms.items()
        }
        self._apart_max = apart_max
        # How many parts each form has.
        self._parts: list[int] = []
        # By stem and ending: the numbers of forms, and which part of them it is.
        self._stems = defaultdict[str, dict[re.Pattern[str], list[tuple[int, int]]]](dict)

    def add(self, language: str, form: str) -> int:
        """Add a form of the lexicon; return its number."""
        number, parts = len(self._parts), form.split("+")
        self._parts.append(len(parts))
        for part, alternatives in enumerate(parts):
            for alternative in alternatives.split("|"):
                stem, _, ending = alternative.partition(":")
                self._add_stem(language, stem.replace("ё", "е"), ending, (number, part))
        return number

    def _add_stem(self, language: str, stem: str, form: str, part: tuple[int, int]) -> None:
        ending, folded = self._endings[language, form] if form else (_NONE, _NONE)
        self._stems[stem].setdefault(ending, []).append(part)
        if language == "kk" and len(stem) >= _FOLDED_MIN:
            self._stems[stem.translate(_TYPED_AS)].setdefault(folded, []).append(part)

    def found_in(self, words: list[_Word]) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield the number of each form that the words contain, and which words they are."""
        places = defaultdict[int, defaultdict[int, set[int]]](lambda: defaultdict(set))
        for index, word in enumerate(words):
            for number, part in self._parts_of(word.text):
                places[number][part].add(index)
        for number, by_part in places.items():
            if len(by_part) == self._parts[number]:
                yield from ((number, hit) for hit in self._together(words, by_part))

    def _parts_of(self, word: str) -> Iterator[tuple[int, int]]:
        """The forms, and their parts, that a word may be."""
        for end in range(1, len(word) + 1):
            for ending, parts in self._stems.get(word[:end], {}).items():
                if ending.fullmatch(word, end):
                    yield from parts

    def _together(
        self, words: list[_Word], by_part: Mapping[int, set[int]]
    ) -> Iterator[tuple[int, ...]]:
        first, *others = (by_part[part] for part in sorted(by_part))
        for start in sorted(first):
            hit = [start]
            around = range(start - self._apart_max, start + self._apart_max + 1)
            for indexes in others:
                near = [
                    index
                    for index in around
                    if index in indexes
                    and index not in hit
                    and words[index].sentence == words[start].sentence
                ]
                if near:
                    hit.append(min(near, key=lambda index: abs(index - start)))
            if len(hit) == len(by_part):
                yield tuple(sorted(hit))


class Lexicon:
    """The words of danger, as the file of the lexicon has them."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.version: str = content["version"]
        self._content = content
        self._dangers: Mapping[str, Mapping[str, Any]] = content["dangers"]
        self._forms = _Forms(content["endings"], content["words_apart_max"])
        self._danger_of = {
            number: rows["danger"] for rows in content["words"] for number in self._added([rows])
        }
        self._harmless, self._titles, self._past = (
            frozenset(self._added(content[name])) for name in ("harmless", "titles", "past")
        )
        negations = content["negations"]
        self._denied_before = frozenset(negations["before"])
        self._denied_after = frozenset(negations["after"])
        self._between = frozenset(negations["between"])

    def reasons(self, text: str, address: str = "", kind: str = "") -> tuple[Reason, ...]:
        """Return why somebody should look at a report at once; () if nothing says so.

        `address` is that of its place, `kind` its category, such as "incident". A reason is a
        danger and the words that mean it; each danger is returned once, at most REASONS_MAX.
        """
        found = self._dangers_in(text)
        for danger, words in self._dangers_in(address).items():
            if self._is_context(danger):
                found.setdefault(danger, words)
        weight: int = sum(self._dangers[danger]["weight"] for danger in found)
        weight += self._content["kinds"].get(kind, 0)
        if all(map(self._is_context, found)) or weight < self._content["threshold"]:
            return ()
        return tuple(Reason(danger, found[danger]) for danger in self._dangers if danger in found)[
            :REASONS_MAX
        ]

    def _added(self, groups: Iterable[Mapping[str, Any]]) -> list[int]:
        """The numbers of the forms in these groups of the file, which are added."""
        return [
            self._forms.add(rows["language"], form) for rows in groups for form in rows["forms"]
        ]

    def _is_context(self, danger: str) -> bool:
        """Whether a danger, such as "now", means none without another."""
        return bool(self._dangers[danger].get("context"))

    def _dangers_in(self, text: str) -> dict[str, str]:
        words = _words_of(text)
        hits = list(self._forms.found_in(words))
        harmless = self._harmless_words(words, hits)
        past = {words[hit[0]].sentence for number, hit in hits if number in self._past}
        found = dict[str, str]()
        for number, hit in sorted(hits, key=lambda each: each[1]):
            danger = self._danger_of.get(number)
            if danger is None or danger in found or harmless & set(hit):
                continue
            if words[hit[0]].sentence in past or self._is_denied(words, hit):
                continue
            found[danger] = " ".join(words[index].text for index in hit)
        return found

    def _harmless_words(
        self, words: list[_Word], hits: Iterable[tuple[int, tuple[int, ...]]]
    ) -> set[int]:
        """The words of harmless expressions and of titles."""
        harmless, named = set[int](), set[int]()
        for number, hit in hits:
            if number in self._harmless:
                harmless |= set(hit)
            if number in self._titles:
                index = hit[0]
                around = range(max(index - 1, 0), min(index + _TITLE_APART_MAX + 1, len(words)))
                named |= {words[near].quotation for near in around} - {0}
        lengths = defaultdict[int, int](int)
        for word in words:
            lengths[word.quotation] += 1
        titles = {number for number in named if lengths[number] <= _TITLE_WORDS_MAX}
        return harmless | {index for index, word in enumerate(words) if word.quotation in titles}

    def _is_denied(self, words: list[_Word], hit: tuple[int, ...]) -> bool:
        """Whether a word of denial stands right before one of the words or after the last, in the
        same clause."""
        return any(self._is_denied_at(words, index, hit) for index in hit) or (
            hit[-1] + 1 < len(words)
            and words[hit[-1] + 1].clause == words[hit[-1]].clause
            and words[hit[-1] + 1].text in self._denied_after
        )

    def _is_denied_at(self, words: list[_Word], index: int, hit: tuple[int, ...]) -> bool:
        """Whether the word before this one denies it, and is not one of the found words."""
        before = index - 1
        if before >= 0 and words[before].text in self._between:
            before -= 1
        return (
            before >= 0
            and before not in hit
            and words[before].clause == words[index].clause
            and words[before].text in self._denied_before
        )


@cache
def read_lexicon() -> Lexicon:
    """Return the lexicon that is shipped with this service."""
    file = resources.files("citizen_reports") / "lexicon" / "danger-words.json"
    return Lexicon(json.loads(file.read_bytes()))


def _words_of(text: str) -> list[_Word]:
    """The words of a text as the lexicon has them, with the numbers of their sentence, clause and
    quotation (0 outside of quotations)."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    words, sentence, clause, quotations, is_quoted = list[_Word](), 0, 0, 0, False
    for token in _WORD.findall(_REPEATED.sub(r"\1", plain)):
        if token in '«»“”"':
            is_quoted = token in "«“" or (token == '"' and not is_quoted)
            quotations += is_quoted
        elif token in ".!?\n":
            sentence, clause = sentence + 1, clause + 1
        elif token in ",;:—()":
            clause += 1
        else:
            words.append(_Word(token, sentence, clause, quotations if is_quoted else 0))
    return words
