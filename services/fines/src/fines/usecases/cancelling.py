"""Taking a fine back, whoever asks for it: the ledger by reversal, the facts, the notice."""

from datetime import datetime

from chassis.db import Tx

from fines import events
from fines.model import ledger as rules
from fines.model.fine import Fine, State
from fines.storage import fines, ledger


async def cancel_in(tx: Tx, fine: Fine, now: datetime) -> Fine:
    """Inside the caller's transaction, with `fine` locked. Raises FineAlreadyCancelled."""
    cancelled = fine.cancel()
    if fine.amount is None:
        await fines.save(tx, cancelled)
        return cancelled
    await ledger.post(
        tx, rules.on_cancellation(fine, await ledger.entries_of(tx, fine.number), now)
    )
    if fine.state is State.PAID:
        payment = await ledger.payment_of(tx, fine.number)
        assert payment is not None
        tx.emit(events.fine_refunded(cancelled, payment, now))
        cancelled = cancelled.told()
    await fines.save(tx, cancelled)
    tx.emit(events.fine_cancelled(cancelled, now))
    if fine.delivered_at:
        await tx.schedule("tell_cancelled", fine.number, due_at=now)
    return cancelled
