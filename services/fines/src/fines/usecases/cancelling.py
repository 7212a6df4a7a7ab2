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
    """Why a fine is cancelled. The field `cause` is recorded in the audit log. The field `reason`
    is sent to the bank if a payment is refunded. The field `words` is the text that an operator
    wrote, encrypted; None if no operator cancels the fine."""

    cause: str
    reason: rules.RefundReason = rules.RefundReason.FINE_CANCELLED
    words: SealedText | None = None


ANNULLED = Cancellation("annulled", rules.RefundReason.VIOLATION_ANNULLED)


async def cancel_in(tx: Tx, fine: Fine, now: datetime, why: Cancellation) -> Fine:
    """Cancel the fine, write an audit entry and return the cancelled fine. The fine's row must be
    locked in `tx`. Raises FineAlreadyCancelled.

    If the fine was issued, its ledger entries are reversed and events are published. If it was
    paid, the payment is refunded. If it was delivered, the notice to the owner is scheduled.
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
