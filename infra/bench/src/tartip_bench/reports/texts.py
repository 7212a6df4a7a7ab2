"""Gives a million reports the index of their texts, and says what is sought in them."""

from __future__ import annotations

import asyncpg
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb
from vault.keyring import Keyring

# Words of the texts; the n-th is the rarer the greater n is, the first stands in every fifth text.
WORDS, WORDS_A_TEXT = 5000, 16
_CLASSES = ("open", "personal")
# Foreign keys are not checked row by row, and the index is built at the end.
_BEFORE = "SET session_replication_role = replica; DROP INDEX citizen_reports.report_stems_newest"
_STEMS = """
    INSERT INTO citizen_reports.report_stems (report_id, stem, class, region, registered_at)
    SELECT report_id, vocabulary.stem, vocabulary.class, region, registered_at
    FROM citizen_reports.reports
    CROSS JOIN LATERAL (
        SELECT DISTINCT floor($1::int * power(random(), 2))::int AS word
        FROM generate_series(1, $2::int + 0 * get_byte(uuid_send(report_id), 0))
    ) AS written
    JOIN vocabulary ON vocabulary.word = written.word AND vocabulary.class =
        CASE WHEN category IN ('traffic_violation', 'road_accident') THEN 'open' ELSE 'personal' END
    WHERE number IS NOT NULL
        AND category IN ('traffic_violation', 'road_accident', 'incident', 'other')
    ON CONFLICT DO NOTHING
"""
# That a report is indexed; without it the service looks for its text again and again.
_MARKERS = """
    INSERT INTO citizen_reports.report_stems (report_id, stem, class, region, registered_at)
    SELECT report_id, $2, $1, region, min(registered_at)
    FROM citizen_reports.report_stems WHERE class = $1 GROUP BY report_id, region
    ON CONFLICT DO NOTHING
"""
VERSION = 1  # of citizen-reports' index (`storage.text_index`)


def searches() -> dict[str, pb.SearchReportsRequest]:
    """Requests for a page of reports, by what is sought."""
    page = common_pb2.Page(size=50)
    sought = {
        "a common word": "word0",
        "two common words": "word0 word1",
        "a common and a rare word": "word0 word4000",
        "three words that few texts have": "word30 word300 word3000",
        "a word of no text": "nowhere0",
    }
    return {
        title: pb.SearchReportsRequest(words=words, page=page) for title, words in sought.items()
    }


async def index_texts(connection: asyncpg.Connection[asyncpg.Record], keyring: Keyring) -> None:
    """Add stems to all reports whose texts are found, in the place of their own."""
    [(definition,)] = await connection.fetch(
        "SELECT indexdef FROM pg_indexes WHERE indexname = 'report_stems_newest'"
        " AND schemaname = 'citizen_reports'"
    )
    await connection.execute(_BEFORE)
    await connection.execute("CREATE TEMPORARY TABLE vocabulary (word int, class text, stem bytea)")
    rows = [
        (number, each, keyring.blind_index(f"stems-{each}", "stem", f"word{number}"))
        for number in range(WORDS)
        for each in _CLASSES
    ]
    await connection.copy_records_to_table("vocabulary", records=rows)
    await connection.execute("ANALYZE vocabulary")
    await connection.execute(_STEMS, WORDS, WORDS_A_TEXT, timeout=1800)
    for each in _CLASSES:
        marker = keyring.blind_index(f"stems-{each}", "version", str(VERSION))
        await connection.execute(_MARKERS, each, marker, timeout=900)
    await connection.execute(definition, timeout=900)
    await connection.execute("VACUUM ANALYZE citizen_reports.report_stems", timeout=900)
