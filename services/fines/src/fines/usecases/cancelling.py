"""The cancellation of a fine for any cause: ledger reversal, refund, events and notice."""

from dataclasses import dataclass, replace
from datetime import datetime

from audit_log.decisions import Decision
from chassis.transaction import Tx

from fines import events
from fines.model import ledger as rules
from fines.model.fine import Fine, SealedText, State
from fines.storage import fines, ledger


@dataclass(frozen=True)
class Cancellation:
    """Why a fine is cancelled. `cause` is recorded in the audit log, and `reason` is told to the
    bank if its payment is refunded. `words` is the reason that an operator wrote, encrypted; None
    if no operator cancels the fine."""

    cause: str
    reason: rules.RefundReason = rules.RefundReason.FINE_CANCELLED
    words: SealedText | None = None


ANNULLED = Cancellation("annulled", rules.RefundReason.VIOLATION_ANNULLED)


async def cancel_in(tx: Tx, fine: Fine, now: datetime, why: Cancellation) -> Fine:
    """Cancel the fine, audit this and return the cancelled fine. Its row must be locked in `tx`.

    If the fine was issued, its ledger entries are reversed, its payment is refunded and events are
    published; if it was delivered, the owner's notice is scheduled. Raises FineAlreadyCancelled.
    """
    cancelled = replace(fine.cancel(), cancel_reason=why.words)
    facts = {"cause": why.cause}
    if fine.amount is None:
        await fines.save(tx, cancelled, Decision("cancel", facts))
        return cancelled
    earlier = await ledger.entries_of(tx, fine.number)
    reversal = rules.on_cancellation(fine, earlier, now)
    beside = ledger.of_entries((*earlier, *reversal))
    refunded = None
    if fine.state is State.PAID:
        payment = await ledger.payment_of_fine(tx, fine.number)
        assert payment is not None
        refund = rules.refund_in(reversal, why.reason)
        refunded = payment, refund
        beside[rules.REFUND] = ledger.refund_row(payment, refund)
        tx.emit(events.fine_refunded(cancelled, payment, refund))
        cancelled = cancelled.next_version()
    audited = await fines.save(tx, cancelled, Decision("cancel", facts, beside))
    ledger.post(tx, reversal, audited)
    if refunded:
        ledger.add_refund(tx, *refunded, audited)
    tx.emit(events.fine_cancelled(cancelled, now))
    if fine.delivered_at:
        await tx.schedule("tell_cancelled", fine.number, due_at=now)
    return cancelled
