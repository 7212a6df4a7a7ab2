"""The kinds of decided records: reports, answers, answer templates and subjects of complaints. Each
lists the columns that the hash in the audit entry of a decision covers."""

from audit_log.record_kinds import RecordKind

REPORT = RecordKind(
    "report",
    (
        *("report_id", "partner", "category", "region", "status", "language", "occurred_at"),
        *("opened_at", "story", "version", "cell", "place_abroad", "number", "registered_at"),
        *("receipt_due_at", "receipt_rule", "receipt_unit", "content_sha256", "due_at"),
        *("deadline_rule", "deadline_number", "waits_since", "escalation_step", "unit"),
        *("operator", "answered_at", "disputed_at", "outcome", "offence_code", "duplicate_of"),
        *("response_due_at", "response_rule", "response_ended_at", "arrived_at", "response_step"),
        *("position", "taken_at", "answered_by", "closing_outcome", "extended_at", "questions"),
        *("reminders", "waits_until", "waited_seconds", "warned_number", "reported_category"),
        *("silent_alarm", "urgency", "waiting_answer", "parent", "is_parent"),
    ),
)
ANSWER = RecordKind("answer", ("report_id", "answer"))
# A version of an answer template.
TEMPLATE = RecordKind(
    "answer_template",
    (
        *("template", "version", "categories", "outcome", "text_kk", "text_ru", "text_en"),
        *("withdrawn", "reason", "changed_by", "changed_at"),
    ),
)
# The settled subject of a complaint.
SUBJECT = RecordKind("subject", ("report_id", "officer_id", "unit", "settled_at"))
