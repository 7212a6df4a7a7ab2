"""The use case by which operators find reports by the words of their texts."""

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.pages import PageSpec
from chassis.refusals import checks
from chassis.transaction import Tx
from law.regions import REGIONS

from citizen_reports.model.actions import Files, allowed_actions
from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.report import Report
from citizen_reports.model.stems import words_of
from citizen_reports.storage import contents
from citizen_reports.storage.text_search import found_by_words
from citizen_reports.usecases.desk import DeskView, actor_of

WORDS_MAX, LETTERS_MAX = 10, 200


class Search:
    def __init__(self, db: Database, clock: Clock, deadlines: Deadlines) -> None:
        self._db = db
        self._clock = clock
        self._deadlines = deadlines

    async def by_words(
        self, text: str, region: str, spec: PageSpec, caller: Caller
    ) -> tuple[list[DeskView], list[tuple[str, ...]]]:
        """Return a page of the reports whose texts have all words of `text`, in any of their forms,
        the newest registration first, and the sort keys of the page's rows for a page token.

        `region` "" stands for all visible regions. Reports of domestic violence or about children,
        and complaints, are never found. Contents, reporter, media and steps are left empty. Raises
        BadRequest for an unknown region, or for a text without searchable words, with more than
        WORDS_MAX words, or with more than LETTERS_MAX characters.
        """
        words = words_of(text[:LETTERS_MAX])
        with checks() as check:
            known = not region or region in REGIONS
            check.that(known, "region", "an ISO code such as KZ-75", code="REGION_UNKNOWN")
            check.that(bool(words), "words", "words of the text", code="WORDS_REQUIRED")
            check.that(
                len(words) <= WORDS_MAX and len(text) <= LETTERS_MAX,
                "words",
                f"at most {WORDS_MAX} words and {LETTERS_MAX} characters",
                code="WORDS_TOO_MANY",
            )
        now = self._clock()
        async with self._db.begin(caller.scope) as tx:
            found = await found_by_words(tx, words, region, spec)
            ids = [report.report_id for report in found.reports]
            stored = await contents.stored_counts(tx, ids)
            _record_search(tx, found.reports, len(words), region)
        actor = actor_of(caller)
        views = [
            DeskView(
                report,
                report.is_overdue(now),
                allowed_actions(
                    report, actor, self._deadlines, Files(stored.get(report.report_id, 0)), now
                ),
            )
            for report in found.reports
        ]
        return views, found.keys


def _record_search(tx: Tx, found: list[Report], words: int, region: str) -> None:
    """Audit a search, without its words. The found reports are named in an entry that is hidden
    from auditors, since a report may later be raised to a confidential category."""
    facts = {"words": str(words), "listed": str(len(found))}
    tx.audit("search", "reports", region=region, facts=facts)
    if found:
        names = " ".join(report.name for report in found)
        tx.audit("found", "reports", region=region, facts={"words_of": names}, confidential=True)
