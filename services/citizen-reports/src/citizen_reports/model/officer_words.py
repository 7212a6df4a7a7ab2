"""Compares the words of a complaint with badge, log-in and family name of officers.

Names in a text have endings: "Ивановым", "Ивановтың". Therefore the beginnings of each word of the
text are compared with the stems of each family name. Log-ins and badges are written in several
ways: "a.ivanov", "KZ 4711", "KZ-4711". Therefore up to `_PARTS_MAX` neighbouring words of the text
are compared with them, as written and without what separates the words.

A match makes an officer a candidate. Until the subject of the complaint is settled, no candidate
may see it: too many candidates are better than too few.
"""

import re
import unicodedata

from citizen_reports.model.personnel import Officer

# The longest ending that is taken off a word of a text: Kazakh "-тарының" has eight letters, but
# the case and possessive endings of names have four at most.
_ENDING_MAX = 4
_BEGINNING_MIN = 3
_STEM_MIN = 5
# An e-mail address as a log-in, "a.ivanov@police.gov.kz", has five parts.
_PARTS_MAX = 6
# Of two words farther apart than in "KZ - 4711", each stands for itself.
_BETWEEN_MAX = 3
_PART = re.compile(r"[^\W_]+")
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


def words_of_officer(officer: Officer) -> frozenset[str]:
    """Return the words by which a text may mean this officer, each after its kind ("badge:…")."""
    log_in, badge = _plain(officer.log_in), _plain(officer.badge)
    words = {f"login:{log_in}", f"badge:{badge}"}
    words |= {f"code:{_beginning_without_separators(code)}" for code in (log_in, badge)}
    for name in (officer.kk.family, officer.ru.family):
        for part in _WORD.findall(_plain(name)):
            words |= {f"name:{stem}" for stem in _stems(part)}
    return frozenset(word for word in words if not word.endswith(":"))


def words_of_text(text: str) -> frozenset[str]:
    """Return every word that `words_of_officer` could return for an officer whom a text means."""
    plain = _plain(text)
    found = _codes_of(plain)
    for word in _WORD.findall(plain):
        for part in {word, *word.split("-")}:
            shortest = max(_BEGINNING_MIN, len(part) - _ENDING_MAX)
            found |= {f"name:{part[:end]}" for end in range(shortest, len(part) + 1)}
            found.add(f"name:{part}")
    return frozenset(found)


def _codes_of(text: str) -> set[str]:
    """Every log-in and badge that may stand in a text: runs of up to `_PARTS_MAX` parts."""
    found = set[str]()
    parts = list(_PART.finditer(text))
    for index, first in enumerate(parts):
        run, end = "", first.start()
        for part in parts[index : index + _PARTS_MAX]:
            if part.start() - end > _BETWEEN_MAX:
                break
            run, end = run + part[0], part.end()
            written = text[first.start() : end]
            found |= {f"login:{written}", f"badge:{written}", f"code:{run}"}
    return found


def _beginning_without_separators(code: str) -> str:
    return "".join(_PART.findall(code)[:_PARTS_MAX])


def _stems(name: str) -> set[str]:
    """The name, and the name without its last letter and last two letters, if enough is left."""
    return {name, *(name[:-cut] for cut in (1, 2) if len(name) - cut >= _STEM_MIN)}


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("ё", "е").strip()
