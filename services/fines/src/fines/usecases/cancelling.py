"""The cancellation of a fine for any cause: ledger reversal, refund, events and notice."""

from datetime import datetime

from chassis.transaction import Tx

from fines import events
from fines.model import ledger as rules
from fines.model.fine import Fine, State
from fines.storage import fines, ledger


async def cancel_in(tx: Tx, fine: Fine, now: datetime, reason: rules.RefundReason) -> Fine:
    """Cancel the fine in the caller's transaction, which must have locked it; return the cancelled
    fine. `reason` is reported to the bank whose payment is refunded. Raises FineAlreadyCancelled.
    """
    cancelled = fine.cancel()
    if fine.amount is None:
        await fines.save(tx, cancelled)
        return cancelled
    reversal = rules.on_cancellation(fine, await ledger.entries_of(tx, fine.number), now)
    ledger.post(tx, reversal)
    if fine.state is State.PAID:
        payment = await ledger.payment_of_fine(tx, fine.number)
        assert payment is not None
        refund = rules.refund_in(reversal, reason)
        await ledger.add_refund(tx, payment, refund)
        tx.emit(events.fine_refunded(cancelled, payment, refund))
        cancelled = cancelled.next_version()
    await fines.save(tx, cancelled)
    tx.emit(events.fine_cancelled(cancelled, now))
    if fine.delivered_at:
        await tx.schedule("tell_cancelled", fine.number, due_at=now)
    return cancelled
