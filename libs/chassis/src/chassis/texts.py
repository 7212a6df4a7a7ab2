"""Messages for people, in the three languages of the apps.

A package with messages has a folder `texts` with a Fluent file per language (en.ftl, ru.ftl,
kk.ftl). Messages are found by key; a refusal's key is its code.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from fluent.runtime import FluentBundle, FluentResource

LANGUAGES: Final = ("en", "ru", "kk")


@dataclass(frozen=True)
class Message:
    """One sentence for a person, in each language."""

    en: str
    ru: str
    kk: str


@cache
def message_of(package: str, key: str) -> Message:
    """Return the message `key` of a package. Raises LookupError if a language lacks it."""
    return message_with(package, key, {})


def message_with(package: str, key: str, values: dict[str, str]) -> Message:
    """The message `key` of a top-level package, with its variables replaced by `values`.

    Raises LookupError if a language lacks it.
    """
    en, ru, kk = (_text(package, language, key, values) for language in LANGUAGES)
    return Message(en, ru, kk)


def _text(package: str, language: str, key: str, values: dict[str, str]) -> str:
    bundle = _bundle(package, language)
    pattern = bundle.get_message(key).value
    if pattern is None:
        raise LookupError(key)
    text, errors = bundle.format_pattern(pattern, values)
    if errors:
        raise LookupError(f"{key}: {errors[0]}")
    return str(text)


@cache
def _bundle(package: str, language: str) -> FluentBundle:
    bundle = FluentBundle([language], use_isolating=False)
    file = files(package) / "texts" / f"{language}.ftl"
    bundle.add_resource(FluentResource(file.read_text("utf-8")))
    return bundle
