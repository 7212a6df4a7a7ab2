"""Units, officers and postings, and whom a complaint about an officer is about.

Who may see a complaint is decided by these rows: an operator with the role internal_security who is
posted to a unit of that kind, and who is neither the officer complained about nor of his units, nor
of those above or below them, since the incident. While the officer is not known, this holds for the
units of the report's region. Until he is settled, no officer whom the complaint may mean sees it.
"""

from alembic import op
from host.migrations import runtime_role, schema_name
from host.schema import (
    IN_REGION,
    IS_OPERATOR,
    IS_PARTNER,
    IS_SERVICE,
    IS_SYSTEM,
    grant,
    has_role,
    protect_rows,
)
from law.regions import REGIONS
from law.report_routing import read_report_routing
from sqlalchemy import text

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# An operator who raises a report, or settles whom it is about, may write what he must not see from
# then on. His call sets this key, once it has seen that the report is visible to him.
DECIDES = f"({IS_OPERATOR} AND current_setting('app.lookup', true) = 'decides:' || report_id)"
FOR_THE_DESK = f"""(
    {IS_OPERATOR} AND {IN_REGION} AND status <> 'open'
    AND CASE WHEN complaint THEN {has_role("internal_security")}
            AND sees_complaint(report_id, region, occurred_at)
        ELSE {has_role("dispatcher")} OR {has_role("supervisor")}
            OR ({has_role("inspector")} AND category IN ('traffic_violation', 'road_accident'))
        END
)"""
FOR_VIOLATIONS = f"""(
    {IS_SERVICE} AND current_setting('app.name', true) = 'violations'
    AND NOT complaint AND offence_code <> ''
)"""
VISIBLE = f"{IS_SYSTEM} OR {IS_PARTNER} OR {FOR_THE_DESK} OR {DECIDES} OR {FOR_VIOLATIONS}"
BY_COMMAND = f"({IS_SERVICE} AND current_setting('app.name', true) = 'tartip-cli')"


def upgrade() -> None:
    runtime = runtime_role()
    op.execute("ALTER TABLE reports ADD COLUMN reported_category text")
    _personnel(runtime)
    _complaints(runtime)
    op.execute(_SEES_COMPLAINT.replace("{schema}", schema_name()))
    op.execute("REVOKE ALL ON FUNCTION sees_complaint FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION sees_complaint TO "{runtime}"')
    op.execute(f"ALTER POLICY reports_scope ON reports USING ({VISIBLE}) WITH CHECK ({VISIBLE})")


def downgrade() -> None:
    raise NotImplementedError("data is not taken down")


def _by_owner() -> str:
    """The condition that `sees_complaint` reads, which runs as the owner; nobody else does, but
    migrations."""
    return f"current_user = '{op.get_bind().execute(text('SELECT current_user')).scalar()}'"


def _to_readers_of_officers() -> str:
    roles = f"{has_role('personnel_administrator')} OR {has_role('internal_security')}"
    return f"{_by_owner()} OR {BY_COMMAND} OR ({IS_OPERATOR} AND ({roles}))"


def _personnel(runtime: str) -> None:
    op.execute(
        """
        CREATE TABLE units (
            unit text PRIMARY KEY,
            kind text NOT NULL,
            parent text REFERENCES units,
            region text NOT NULL,
            name_kk text NOT NULL,
            name_ru text NOT NULL,
            valid_from timestamptz NOT NULL,
            valid_until timestamptz
        )
        """
    )
    op.execute("CREATE INDEX units_below ON units (parent)")
    op.execute("CREATE INDEX units_of_region ON units (region)")
    grant(op, "units", "SELECT, INSERT, UPDATE", runtime)
    op.execute(
        """
        CREATE TABLE officers (
            officer_id uuid PRIMARY KEY,
            log_in text UNIQUE,
            badge_index bytea UNIQUE,
            key_id uuid NOT NULL,
            sealed bytea NOT NULL
        )
        """
    )
    grant(op, "officers", "SELECT, INSERT, UPDATE (log_in, badge_index, sealed)", runtime)
    protect_rows(op, "officers", visible=_to_readers_of_officers())
    op.execute(
        """
        CREATE TABLE officer_words (
            officer_id uuid NOT NULL REFERENCES officers,
            word bytea NOT NULL,
            PRIMARY KEY (word, officer_id)
        )
        """
    )
    op.execute("CREATE INDEX words_of_officer ON officer_words (officer_id)")
    grant(op, "officer_words", "SELECT, INSERT, DELETE", runtime)
    protect_rows(op, "officer_words", visible=_to_readers_of_officers())
    op.execute(
        """
        CREATE TABLE postings (
            posting_id uuid PRIMARY KEY,
            officer_id uuid NOT NULL REFERENCES officers,
            unit text NOT NULL REFERENCES units,
            starts_at timestamptz NOT NULL,
            ends_at timestamptz CHECK (ends_at >= starts_at)
        )
        """
    )
    op.execute("CREATE INDEX postings_of_officer ON postings (officer_id)")
    op.execute("CREATE INDEX postings_of_unit ON postings (unit)")
    grant(op, "postings", "SELECT, INSERT, UPDATE (ends_at)", runtime)
    protect_rows(op, "postings", visible=_to_readers_of_officers())
    _first_units()


def _first_units() -> None:
    """The units to which the routing table sends reports, and those above them."""
    rows = [
        ("mia", "ministry", None, "", "Ішкі істер министрлігі", "Министерство внутренних дел"),
        ("internal-security", "internal_security", "mia", "", "Өзіндік қауіпсіздік", _SECURITY_RU),
        ("inspectorate", "internal_security", "mia", "", "Инспекция", "Инспекция министерства"),
    ]
    for code, region in REGIONS.items():
        rows.append((code, "department", "mia", code, region.kk, region.ru))
        for desk in read_report_routing().units:
            rows.append((f"{code}-{desk}", "desk", code, code, f"{code} {desk}", f"{code} {desk}"))
    for row in rows:
        values = ", ".join("NULL" if value is None else f"'{value}'" for value in row)
        op.execute(f"INSERT INTO units VALUES ({values}, '2000-01-01T00:00:00Z')")


_SECURITY_RU = "Собственная безопасность"


def _complaints(runtime: str) -> None:
    op.execute(
        """
        CREATE TABLE complaint_subjects (
            report_id uuid PRIMARY KEY REFERENCES reports,
            officer_id uuid REFERENCES officers,
            unit text REFERENCES units,
            settled_at timestamptz NOT NULL,
            audit_entry uuid NOT NULL,
            audit_hash bytea NOT NULL,
            CHECK (officer_id IS NULL OR unit IS NULL)
        )
        """
    )
    changed = "officer_id, unit, settled_at, audit_entry, audit_hash"
    grant(op, "complaint_subjects", f"SELECT, INSERT, UPDATE ({changed})", runtime)
    by_security = f"{IS_OPERATOR} AND {has_role('internal_security')}"
    of_visible = (
        "EXISTS (SELECT FROM reports WHERE reports.report_id = complaint_subjects.report_id)"
    )
    protect_rows(
        op, "complaint_subjects", visible=f"{_by_owner()} OR ({by_security} AND {of_visible})"
    )
    op.execute(
        """
        CREATE TABLE complaint_candidates (
            report_id uuid NOT NULL,
            officer_id uuid NOT NULL REFERENCES officers,
            PRIMARY KEY (report_id, officer_id)
        )
        """
    )
    grant(op, "complaint_candidates", "SELECT, INSERT", runtime)
    # Added with the report itself, by the app that hands it in or the operator who raises it; seen
    # by the service alone.
    op.execute("ALTER TABLE complaint_candidates ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE complaint_candidates FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY candidates_added ON complaint_candidates FOR INSERT WITH CHECK (true)"
    )
    op.execute(
        "CREATE POLICY candidates_read ON complaint_candidates FOR SELECT"
        f" USING ({IS_SYSTEM} OR {_by_owner()})"
    )


# It runs as the owner of the tables: the rows decide about the caller and are not his to see.
_SEES_COMPLAINT = """
CREATE FUNCTION sees_complaint(about uuid, place text, since timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp
AS $$
WITH RECURSIVE me AS (
    SELECT officer_id FROM officers WHERE log_in = current_setting('app.name', true)
), subject AS (
    SELECT officer_id, unit FROM complaint_subjects
    WHERE report_id = about AND (officer_id IS NOT NULL OR unit IS NOT NULL)
), served AS (
    SELECT officer_id, unit, ends_at FROM postings
    WHERE starts_at <= service_now() AND (ends_at IS NULL OR ends_at > since)
), theirs AS (
    SELECT served.unit FROM served JOIN subject USING (officer_id)
    UNION SELECT unit FROM subject WHERE unit IS NOT NULL
    UNION SELECT unit FROM units WHERE region = place AND NOT EXISTS (SELECT FROM subject)
), above AS (
    SELECT unit FROM theirs
    UNION SELECT units.parent FROM units JOIN above USING (unit) WHERE units.parent IS NOT NULL
), below AS (
    SELECT unit FROM theirs
    UNION SELECT units.unit FROM units JOIN below ON units.parent = below.unit
)
SELECT EXISTS (
    SELECT FROM served JOIN me USING (officer_id) JOIN units USING (unit)
    WHERE units.kind = 'internal_security' AND (served.ends_at IS NULL OR ends_at > service_now())
) AND NOT EXISTS (
    SELECT FROM me JOIN subject USING (officer_id)
) AND NOT EXISTS (
    SELECT FROM served JOIN me USING (officer_id)
    WHERE unit IN (SELECT unit FROM above UNION SELECT unit FROM below)
) AND NOT EXISTS (
    SELECT FROM complaint_candidates JOIN me USING (officer_id)
    WHERE report_id = about AND NOT EXISTS (SELECT FROM subject)
)
$$
"""
