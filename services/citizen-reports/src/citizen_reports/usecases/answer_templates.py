"""The use cases that list and change answer templates. Each change is an audited decision."""

from dataclasses import replace

from audit_log.decisions import Decision, audit_decision
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.pages import PageSpec
from chassis.refusals import checks
from law.report_outcomes import ReportOutcomes

from citizen_reports.model.categories import Category
from citizen_reports.model.decided import TEMPLATE
from citizen_reports.model.refusals import TemplateChangedMeanwhile
from citizen_reports.model.templates import Template, check_template
from citizen_reports.storage import answer_templates
from citizen_reports.usecases.personnel import Asked


class Templates:
    def __init__(self, db: Database, clock: Clock, outcomes: ReportOutcomes) -> None:
        self._db = db
        self._clock = clock
        self._outcomes = outcomes

    async def page(
        self, category: Category | None, spec: PageSpec, caller: Caller
    ) -> list[Template]:
        """Return a page of the templates that are not withdrawn, in order of name. `category`
        limits them to templates for reports of this category; None sets no limit."""
        async with self._db.begin(caller.scope) as tx:
            return await answer_templates.page_of_templates(tx, category, spec)

    async def put(self, template: Template, asked: Asked) -> Template:
        """Store a new version of a template and return it. `template.version` is the version that
        the caller changed, 0 for a new template; the number after it is stored.

        A repeated request stores nothing, and returns the newest version. Raises BadRequest with
        every wrong field, IdReused, or TemplateChangedMeanwhile if another version is newest now.
        """
        with checks() as check:
            check_template(check, template, self._outcomes)
        async with self._db.begin(asked.caller.scope) as tx:
            is_new = await tx.once(asked.caller.key, asked.request_id, asked.content)
            current = await answer_templates.newest(tx, template.name)
            if not is_new and current is not None:
                return current
            if template.version != (current.version if current else 0):
                raise TemplateChangedMeanwhile
            changed = replace(
                template,
                version=template.version + 1,
                changed_by=asked.caller.scope.name,
                changed_at=self._clock(),
            )
            entry = audit_decision(
                tx,
                answer_templates.ref_of(changed.name, changed.version),
                Decision("put_answer_template", {"outcome": changed.outcome}),
                {TEMPLATE: answer_templates.to_row(changed)},
                region="",
            )
            if not await answer_templates.add_version(tx, changed, entry):
                raise TemplateChangedMeanwhile
            return changed
