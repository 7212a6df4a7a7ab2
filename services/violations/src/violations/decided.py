"""Lists the database fields that the audit log covers when an officer decides on a violation.

The audit entry has a hash of the violation's row and one of the decision's row. A violation without
a decision is not covered: it is still in review and may change.
"""

from audit_log.record_kinds import RecordKind

from violations.model import Verdict

VIOLATION = RecordKind(
    "violation",
    (
        *("violation_id", "state", "source", "region", "camera_id", "read_id", "report_id"),
        *("latitude", "longitude", "occurred_at", "detected_at", "key_id", "address_sealed"),
        *("plate_sealed", "plate_index", "rule", "offence_code", "article", "rules_version"),
        *("rules_sha256", "dedupe_seconds", "readings", "over_kmh", "device", "evidence_sha256"),
        *("models_fingerprint", "hold", "version", "story", "caution", "shown_sha256"),
    ),
)
_DECISION_FIELDS = (
    *("decision_id", "violation_id", "region", "verdict", "officer", "decided_at"),
    *("reason_sealed", "canonical_sealed", "signature", "certificate"),
)
# The row of a decision; a violation has at most one of each verdict.
DECISIONS = {verdict: RecordKind(verdict.value.lower(), _DECISION_FIELDS) for verdict in Verdict}
