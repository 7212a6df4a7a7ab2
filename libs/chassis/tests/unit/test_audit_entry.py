"""The canonical form of an entry is that of RFC 8785, whatever a name or an id holds."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from chassis.audit_entry import AuditEntry, read_entry
from hypothesis import given
from hypothesis import strategies as st

AT = datetime(2026, 11, 28, 9, 30, 15, 123456, tzinfo=UTC)
texts = st.text(st.characters(codec="utf-8"))
names = st.from_regex(r"[a-zA-Z_]{1,12}", fullmatch=True)
ESCAPED = 'quote " slash \\ / \b\t\n\f\r \x00\x1f\x7f \u2028 Шымкент 🚓'


@given(texts, texts, st.dictionaries(names, texts))
def test_it_is_what_a_library_of_rfc_8785_writes(
    object_ref: str, purpose: str, facts: dict[str, str]
) -> None:
    entry = AuditEntry(UUID(int=7), AT, "read", object_ref, "partner/kaspi", purpose, facts=facts)
    content: dict[str, Any] = {
        "id": str(UUID(int=7)),
        "at": "2026-11-28T09:30:15.123456+00:00",
        "action": "read",
        "object": object_ref,
        "actor": "partner/kaspi",
        "purpose": purpose,
        "region": "",
        "class": "open",
        "facts": dict(facts),
        "trace": "",
    }
    assert entry.canonical() == rfc8785.dumps(content)
    assert read_entry(entry.canonical()) == entry


def test_characters_that_are_escaped() -> None:
    entry = AuditEntry(UUID(int=7), AT, "read", ESCAPED, "a", "", facts={"x": ESCAPED})
    escaped = r'"quote \" slash \\ / \b\t\n\f\r \u0000\u001f' + '\x7f \u2028 Шымкент 🚓"'
    assert entry.canonical().count(escaped.encode()) == 2


def test_half_a_surrogate_pair_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        AuditEntry(UUID(int=7), AT, "read", "\ud800", "a", "").canonical()
