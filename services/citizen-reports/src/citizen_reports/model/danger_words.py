"""Finds words of danger in what a reporter writes, by a lexicon in Kazakh, Russian and English.

The lexicon is a data file (`lexicon/danger-words.json`) that lists forms. A form has one or several
parts, which stand near each other in one sentence, in any order. A part is a list of stems, each
alone or with the endings of a noun, verb or adjective. Kazakh stems are also found in text typed
with Russian letters only. A form in the text does not count if it is denied, long past, part of a
harmless expression ("dead zone"), or part of a title.
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
# A shorter Kazakh stem, typed with Russian letters, would match other words ("орт" is in "орта").
_FOLDED_MIN = 5
_NONE = re.compile("")
_TITLE_WORDS_MAX = 6
# How many words before a title a word such as "film" may stand.
_TITLE_APART_MAX = 2


@dataclass(frozen=True)
class Reason:
    """A danger of the lexicon, such as "weapon", and the words of the reporter that mean it."""

    danger: str
    words: str


@dataclass(frozen=True)
class _Word:
    text: str
    sentence: int
    clause: int
    quotation: int


class _Forms:
    """The forms of the lexicon, by stem. Their parts stand at most `apart_max` words apart."""

    def __init__(self, endings: Mapping[str, Mapping[str, str]], apart_max: int) -> None:
        self._endings = {
            (language, form): (re.compile(ending), re.compile(ending.translate(_TYPED_AS)))
            for language, forms in endings.items()
            for form, ending in forms.items()
        }
        self._apart_max = apart_max
        # The number of parts of each form, in the order of the forms' numbers.
        self._parts: list[int] = []
        # By stem and ending: the number of each form with this stem, and the index of its part.
        self._stems = defaultdict[str, dict[re.Pattern[str], list[tuple[int, int]]]](dict)

    def add(self, language: str, form: str) -> int:
        """Add a form in the notation of the lexicon, as "toy+gun:n|knife"; return its number."""
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
        """Yield the number of each form found in `words`, with the indexes of its words."""
        places = defaultdict[int, defaultdict[int, set[int]]](lambda: defaultdict(set))
        for index, word in enumerate(words):
            for number, part in self._parts_of(word.text):
                places[number][part].add(index)
        for number, by_part in places.items():
            if len(by_part) == self._parts[number]:
                yield from ((number, hit) for hit in self._together(words, by_part))

    def _parts_of(self, word: str) -> Iterator[tuple[int, int]]:
        """Yield each (number of a form, index of a part) that a word may be."""
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
    """The lexicon of words of danger, made from the parsed content of its file."""

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
        """Return the dangers that make a report urgent, each once, at most REASONS_MAX; () if none.

        `kind` is the report's category, such as "incident", which may add weight. In `address`,
        only dangers of context are sought, such as a place with children.
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
        """Add the forms of these groups of the lexicon's file; return their numbers."""
        return [
            self._forms.add(rows["language"], form) for rows in groups for form in rows["forms"]
        ]

    def _is_context(self, danger: str) -> bool:
        """Whether a danger, such as "now", is only context: alone, it makes no report urgent."""
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
        """The indexes of the words in harmless expressions and in quoted titles, as of a film."""
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
        """Whether a word of denial stands right before one of the words at the indexes `hit`, or
        right after the last of them, in the same clause."""
        return any(self._is_denied_at(words, index, hit) for index in hit) or (
            hit[-1] + 1 < len(words)
            and words[hit[-1] + 1].clause == words[hit[-1]].clause
            and words[hit[-1] + 1].text in self._denied_after
        )

    def _is_denied_at(self, words: list[_Word], index: int, hit: tuple[int, ...]) -> bool:
        """Whether a word of denial, itself not in `hit`, stands just before the word at `index`."""
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
    """Split a text into words, normalised as in the lexicon, with the numbers of their sentence,
    clause and quotation (0 outside of quotations)."""
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
