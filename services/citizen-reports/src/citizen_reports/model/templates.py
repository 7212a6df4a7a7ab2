"""Answer templates: texts in three languages with placeholders, in versions that never change.

A placeholder stands for something that the reporter knows already, and for nothing personal.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.refusals import Checks
from law.report_outcomes import ReportOutcomes
from law.zone import almaty_day

from citizen_reports.model.categories import Category
from citizen_reports.model.draft import LANGUAGES, TEXT_MAX
from citizen_reports.model.refusals import TemplateNotForReport
from citizen_reports.model.report import Report
from citizen_reports.model.words import check_length
from citizen_reports.model.written import says_something

# Leaves room for the texts that replace placeholders.
TEMPLATE_TEXT_MAX = TEXT_MAX - 500
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,63})")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
PLACEHOLDERS = frozenset({"number", "registered_on", "occurred_on", "outcome"})


@dataclass(frozen=True)
class Template:
    """A version of an answer template.

    `categories` are those of the reports that it answers, all if empty; `outcome` is the id of a
    closing outcome in `law`; `texts` has the text in each language of LANGUAGES.
    """

    name: str
    version: int
    categories: frozenset[Category]
    outcome: str
    texts: Mapping[str, str]
    is_withdrawn: bool = False
    reason: str = ""
    changed_by: str = ""
    changed_at: datetime | None = None

    def fits(self, category: Category) -> bool:
        """Whether the template answers reports of this category."""
        return not self.categories or category in self.categories

    def written_for(self, report: Report, outcomes: ReportOutcomes) -> str:
        """Return the answer to a registered report, in the language of its reporter. Raises
        TemplateNotForReport if the template or its outcome is not for the report's category."""
        names = {one.id: one.names for one in outcomes.of(report.category)}
        if not self.fits(report.category) or self.outcome not in names:
            raise TemplateNotForReport
        assert report.receipt is not None
        values = {
            "number": report.number,
            "registered_on": _day(report.receipt.registered_at),
            "occurred_on": _day(report.occurred_at),
            "outcome": names[self.outcome][report.language],
        }
        return _PLACEHOLDER.sub(lambda found: values[found[1]], self.texts[report.language])


def check_template(check: Checks, template: Template, outcomes: ReportOutcomes) -> None:
    """Check texts, placeholders and outcome of a template; add every wrong field to `check`."""
    for language in LANGUAGES:
        _check_text(check, f"texts.{language}", template.texts[language])
    for_all = all(
        template.outcome in {one.id for one in outcomes.of(category)}
        for category in template.categories or Category
    )
    check.that(
        for_all, "outcome", "an outcome of all kinds of the template", code="OUTCOME_UNKNOWN"
    )


def _check_text(check: Checks, field: str, text: str) -> None:
    check_length(check, field, text, longest=TEMPLATE_TEXT_MAX, code="TEXT_TOO_LONG")
    check.that(
        set(_names_in(text)) <= PLACEHOLDERS,
        field,
        f"no braces but those of {', '.join(sorted(PLACEHOLDERS))}",
        code="PLACEHOLDER_UNKNOWN",
    )
    check.that(
        says_something(_PLACEHOLDER.sub(" ", text)),
        field,
        "at least two words that say something",
        code="ANSWER_SAYS_NOTHING",
    )


def _names_in(text: str) -> Iterator[str]:
    """Yield the names of the placeholders in a text, then each brace outside of placeholders."""
    yield from _PLACEHOLDER.findall(text)
    yield from re.findall(r"[{}]", _PLACEHOLDER.sub("", text))


def _day(moment: datetime) -> str:
    return f"{almaty_day(moment):%d.%m.%Y}"
