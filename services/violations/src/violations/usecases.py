"""The officers' use cases: read, confirm, reject and annul violations."""

import json
from datetime import datetime
from uuid import UUID

from chassis.clock import Clock, real_clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import Tx

from violations.conflicts import Conflicts
from violations.events import violation_decided
from violations.model import (
    Decision,
    DecisionNotPrepared,
    Verdict,
    Violation,
    ViolationNotFound,
    required_reason,
)
from violations.openings import Openings
from violations.signing import OfficerAuthority, canonical_decision
from violations.storage import violations
from violations.storage.violations import Filters

CANONICAL_BYTES_MAX = 64 * 1024


class Desk:
    """What officers can do: list and read violations, and confirm or reject those in review;
    supervisors can annul confirmed ones."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        authority: OfficerAuthority,
        conflicts: Conflicts,
        openings: Openings,
    ) -> None:
        self._db = db
        self._clock = clock
        self._authority = authority
        self._conflicts = conflicts
        self._openings = openings

    async def get(self, violation_id: UUID, caller: Caller) -> Violation:
        """Return the violation, and record the access with its purpose in the audit log. Raises
        ViolationNotFound."""
        async with self._openings.begin(violation_id, caller) as tx:
            violation = await violations.get(tx, violation_id)
            tx.audit("read", f"violation:{violation_id}", region=violation.place.region)
        return violation

    async def page(
        self, filters: Filters, *, after: tuple[datetime, UUID] | None, size: int, caller: Caller
    ) -> list[Violation]:
        """Return at most `size` violations of the caller's regions, oldest first. Their plates,
        addresses and decisions are not loaded.

        `after` is (occurred_at, violation_id) of the previous page's last violation.
        """
        async with self._db.begin(caller.scope) as tx:
            return await violations.page(tx, filters, after=after, size=size)

    async def prepare(
        self, violation_id: UUID, verdict: Verdict, *, reason: str, version: int, caller: Caller
    ) -> bytes:
        """Return the canonical bytes of a decision, which the officer has to sign. Stores nothing
        but an audit entry.

        `version` is the version of the violation that the officer was shown. If it is 0, the
        version is not checked. Raises ReasonRequired, ViolationNotFound, ViolationChangedMeanwhile
        or a refusal of `Violation.next_state`.
        """
        required = required_reason(verdict, reason)
        async with self._openings.begin(violation_id, caller) as tx:
            violation = await violations.get(tx, violation_id)
            # One of another region is readable where it contradicts one of his.
            if not caller.scope.sees(violation.place.region):
                raise ViolationNotFound
            violation.next_state(verdict)
            violation.check_version(version)
            tx.audit(
                "prepare",
                f"violation:{violation_id}",
                region=violation.place.region,
                facts={"verdict": verdict.value},
            )
        return canonical_decision(violation, verdict, officer=officer_of(caller), reason=required)

    async def decide(
        self,
        verdict: Verdict,
        violation_id: UUID,
        decision_id: UUID,
        *,
        canonical: bytes,
        signature: bytes,
        certificate: bytes,
        caller: Caller,
    ) -> Violation:
        """Confirm or reject a violation, and return it. `canonical` is the result of `prepare`.
        `signature` is the officer's signature of `canonical`. `certificate` is the officer's
        certificate in PEM. A repeated call with the same `decision_id` and `canonical` changes
        nothing.

        Raises DecisionNotPrepared if `canonical` is not what `prepare` would return now, IdReused,
        ViolationNotFound, ReasonRequired, or a refusal of `OfficerAuthority.verify` or
        `Violation.next_state`.
        """
        officer, now = officer_of(caller), self._clock()
        content = b"\n".join((verdict.value.encode(), violation_id.bytes, canonical))
        async with self._openings.begin(violation_id, caller) as tx:
            if not await tx.once(caller.key, decision_id, content):
                return await violations.get(tx, violation_id)
            current = await violations.get_for_update(tx, violation_id)
            current.next_state(verdict)
            reason = required_reason(verdict, _reason_in(canonical))
            if canonical != canonical_decision(current, verdict, officer=officer, reason=reason):
                raise DecisionNotPrepared
            self._authority.verify(
                officer=officer,
                canonical=canonical,
                signature=signature,
                pem=certificate,
                now=real_clock(),  # certificates do not move with the clock of the mesh
            )
            decision = Decision(
                decision_id, officer, now, reason, canonical, signature, certificate
            )
            return await self._save(tx, current.decide(verdict, decision), verdict, now)

    async def annul(
        self, violation_id: UUID, decision_id: UUID, *, reason: str, version: int, caller: Caller
    ) -> Violation:
        """Annul a confirmed violation, and return it. A repeated call with the same `decision_id`
        and reason changes nothing.

        `version` is as in `prepare`. Raises IdReused, and the same refusals as `prepare`.
        """
        required, now = required_reason(Verdict.ANNUL, reason), self._clock()
        content = b"\n".join((b"ANNUL", violation_id.bytes, required.encode()))
        async with self._openings.begin(violation_id, caller) as tx:
            if not await tx.once(caller.key, decision_id, content):
                return await violations.get(tx, violation_id)
            current = await violations.get_for_update(tx, violation_id)
            decision = Decision(decision_id, officer_of(caller), now, required)
            annulled = current.decide(Verdict.ANNUL, decision)
            current.check_version(version)
            return await self._save(tx, annulled, Verdict.ANNUL, now)

    async def _save(self, tx: Tx, decided: Violation, verdict: Verdict, now: datetime) -> Violation:
        await violations.save_decision(tx, decided, verdict)
        if verdict is not Verdict.CONFIRM:
            await self._conflicts.note_withdrawn(tx, decided)
        tx.emit(violation_decided(decided, verdict, now))
        return decided


def officer_of(caller: Caller) -> str:
    """Return the operator id of the caller. The access policy must have ensured that the caller is
    an operator."""
    assert caller.operator is not None, "the policy admits operators alone"
    return caller.operator.operator_id


def _reason_in(canonical: bytes) -> str:
    """Return the reason in the signed bytes. Raises DecisionNotPrepared for unreadable bytes."""
    if len(canonical) > CANONICAL_BYTES_MAX:
        raise DecisionNotPrepared
    try:
        signed = json.loads(canonical)
        reason = str(signed["reason"])
        reason.encode()  # half a surrogate pair is no text
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DecisionNotPrepared from error
    return reason
