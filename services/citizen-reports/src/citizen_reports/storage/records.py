"""The decided records of this service, which `CheckDecisions` compares with the audit log:
registered reports, their answers, the subjects of complaints, and versions of answer templates.
"""

from typing import Any

from audit_log.decision_checks import RecordSource, RecordTable
from sqlalchemy import Row, select

from citizen_reports.model.categories import CONFIDENTIAL, Category
from citizen_reports.model.decided import ANSWER, REPORT, SUBJECT, TEMPLATE
from citizen_reports.model.statuses import Status
from citizen_reports.storage.answer_templates import answer_templates, ref_of
from citizen_reports.storage.tables import complaint_subjects, contents, reports


def _ref(row: Row[Any]) -> str:
    return f"report:{row.number}"


def _is_confidential(row: Row[Any]) -> bool:
    return Category(row.category) in CONFIDENTIAL


def _template_ref(row: Row[Any]) -> str:
    return ref_of(row.template, row.version)


_REGISTERED = select(reports).where(reports.c.status != Status.OPEN.value)
_ANSWERED = (
    select(contents, reports.c.number, reports.c.category)
    .join(reports, reports.c.report_id == contents.c.report_id)
    .where(contents.c.answer.is_not(None))
)
_SETTLED = select(complaint_subjects, reports.c.number, reports.c.category).join(
    reports, reports.c.report_id == complaint_subjects.c.report_id
)
SOURCES: tuple[RecordSource, ...] = (
    RecordTable(REPORT, _REGISTERED, (reports.c.report_id,), _ref, _is_confidential),
    RecordTable(ANSWER, _ANSWERED, (contents.c.report_id,), _ref, _is_confidential),
    RecordTable(SUBJECT, _SETTLED, (complaint_subjects.c.report_id,), _ref, _is_confidential),
    RecordTable(
        TEMPLATE,
        select(answer_templates),
        (answer_templates.c.template, answer_templates.c.version),
        _template_ref,
    ),
)
