"""Stems of the words that a reporter writes, by which texts are found and compared.

A stem is what the forms of a word have in common. Snowball stems Russian and English words. From
Kazakh words, the endings in a table (`lexicon/stems.json`) are removed as long as their vowels
harmonise with the rest. A word alone does not show its language: "стены" may be Russian ("walls")
or Kazakh ("стен" with an ending). So a word of Cyrillic letters may have two stems, and two words
are alike if they have one stem in common. Kazakh stems are also found in text typed with Russian
letters only.

Numbers and plates are not stemmed, but written in Latin letters; stop words and short words are
left out.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import snowballstemmer
from law.plates import letters_and_digits

STEMS_MAX = 200
_WORD_MIN, _NUMBER_MIN, _STEM_MIN = 3, 2, 3
# Endings of one letter are removed from longer words only: "м" from "балам", not from "адам".
_STEM_MIN_BEFORE_A_LETTER = 4
_SHORT_BEFORE = frozenset("уыі")
_ENDINGS_MAX = 5
# A plate as people write it: "777 ABC 02", also with Cyrillic letters.
_PLATE = re.compile(r"(?<![^\W_])\d{3}[ -]?[^\W\d_]{2,3}[ -]?\d{2}(?![^\W_])")
_WORD = re.compile(r"[^\W_]+")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_LATIN = re.compile(r"[a-z]")
_LOOK_ALIKES = list(zip("aceopxyikmtbh", "асеорхуікмтвн", strict=True))
_AS_CYRILLIC = {ord(latin): cyrillic for latin, cyrillic in _LOOK_ALIKES}
_AS_LATIN = {ord(cyrillic): latin for latin, cyrillic in _LOOK_ALIKES}
_TYPED_AS = {ord(kazakh): typed for kazakh, typed in zip("әғқңөұүһі", "агкноуухи", strict=True)}
_KAZAKH = frozenset("әғқңөұүһі")
_VOWELS = frozenset("аәеёиоөуұүыіэюя")
_BACK, _FRONT = frozenset("аоұыя"), frozenset("әеөүіэ")
_NOT_TYPED = frozenset({"ң", "қа", "ға"})
# Voiceless at the end of a word, voiced before an ending: "мектеп", "мектебі".
_AT_THE_END = {"б": "п", "г": "к", "ғ": "қ"}

# The stems of one word; two words are alike if they have one stem in common.
Alternatives = frozenset[str]


def words_of(text: str) -> tuple[Alternatives, ...]:
    """Return the alternative stems of each searchable word of a text, in the order of the text and
    without repetitions. Stop words and short words are not searchable."""
    stemmer, found = _Stemmer(), dict[Alternatives, None]()
    for word in _plain_words(text):
        stems = stemmer.stems(word)
        if stems:
            found[stems] = None
    return tuple(found)


def stems_of(text: str) -> frozenset[str]:
    """Return the stems of the searchable words of a text: at most STEMS_MAX, of the first words if
    there are more."""
    found = dict.fromkeys(stem for word in words_of(text) for stem in sorted(word))
    return frozenset(list(found)[:STEMS_MAX])


def kazakh_stem(word: str) -> str:
    """Return the stem of a Kazakh word given in lower case, in letters that Russian has too."""
    for _ in range(_ENDINGS_MAX):
        shorter = _without_ending(word)
        if shorter is None:
            break
        word = shorter
    word = word[:-1] + _AT_THE_END.get(word[-1:], word[-1:])
    return word.translate(_TYPED_AS)


class _Stemmer:
    """Finds the stems of single words. Not thread-safe: Snowball's stemmers keep the word."""

    def __init__(self) -> None:
        self._russian = snowballstemmer.stemmer("russian")
        self._english = snowballstemmer.stemmer("english")
        self._stop_words = _table().stop_words

    def stems(self, word: str) -> Alternatives:
        if any(letter.isdigit() for letter in word):
            stem = letters_and_digits(word).lower() or word
            return frozenset({stem}) if len(stem) >= _NUMBER_MIN else frozenset()
        if len(word) < _WORD_MIN or word in self._stop_words:
            return frozenset()
        if not _CYRILLIC.search(word):
            return frozenset({self._english.stemWord(word)})
        stems = {self._russian.stemWord(kazakh_stem(word))}
        if not _KAZAKH & set(word):
            stems.add(self._russian.stemWord(word))
        return frozenset(stems)


class _Table:
    """The stop words, and the Kazakh endings; `unharmonised` endings fit after any vowels."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.stop_words = frozenset(
            word.replace("ё", "е")
            for listed in content["stop_words"].values()
            for word in listed.split()
        )
        endings = {ending for listed in content["endings"].values() for ending in listed.split()}
        # The endings _NOT_TYPED, typed with Russian letters, would end too many Russian words.
        typed = {ending.translate(_TYPED_AS) for ending in endings - _NOT_TYPED}
        self.endings = frozenset(endings | typed)
        self.unharmonised = frozenset(content["endings"]["instrumental"].split())
        self.longest = max(map(len, self.endings))


@cache
def _table() -> _Table:
    file = resources.files("citizen_reports") / "lexicon" / "stems.json"
    return _Table(json.loads(file.read_bytes()))


def _plain_words(text: str) -> Iterable[str]:
    """The words of a text in lower case, with each plate as one word."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    plain = _REPEATED.sub(r"\1", plain)
    plain = _PLATE.sub(lambda plate: letters_and_digits(plate[0]).lower(), plain)
    return map(_in_one_script, _WORD.findall(plain))


def _in_one_script(word: str) -> str:
    """The word in one script: if it mixes two, letters of one are replaced by look-alikes."""
    if not (_CYRILLIC.search(word) and _LATIN.search(word)):
        return word
    cyrillic, latin = word.translate(_AS_CYRILLIC), word.translate(_AS_LATIN)
    if not _LATIN.search(cyrillic):
        return cyrillic
    return word if _CYRILLIC.search(latin) else latin


def _without_ending(word: str) -> str | None:
    """A word without its longest Kazakh ending that fits; None if no ending fits."""
    table = _table()
    for length in range(min(table.longest, len(word) - _STEM_MIN), 0, -1):
        stem, ending = word[:-length], word[-length:]
        if ending in table.endings and _fits(stem, ending):
            return stem
    return None


def _fits(stem: str, ending: str) -> bool:
    """Whether a stem is long enough for an ending, and their vowels harmonise."""
    if len(ending) == 1 and ending not in _SHORT_BEFORE and len(stem) < _STEM_MIN_BEFORE_A_LETTER:
        return False
    if ending in _table().unharmonised:
        return True
    before = next((letter for letter in reversed(stem) if letter in _VOWELS), "")
    vowel = next((letter for letter in ending if letter in _VOWELS), "")
    if not before:
        return False
    clashes = (before in _BACK and vowel in _FRONT) or (before in _FRONT and vowel in _BACK)
    return not clashes
