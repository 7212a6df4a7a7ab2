"""The refusals that this service returns to callers, and the exceptions it uses internally."""

from chassis.refusals import Kind, Refusal
from law.refusals import TableYearMissing as TableYearMissing


class FineNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "FINE_NOT_FOUND"


class FineNotPayable(Refusal):
    code = "FINE_NOT_PAYABLE"


class FineAlreadyPaid(Refusal):
    code = "FINE_ALREADY_PAID"


class FineCancelled(Refusal):
    code = "FINE_CANCELLED"


class FineAlreadyCancelled(Refusal):
    code = "FINE_ALREADY_CANCELLED"


class AmountDiffers(Refusal):
    code = "AMOUNT_DIFFERS"


class BankReferenceReused(Refusal):
    kind = Kind.EXISTS
    code = "BANK_REFERENCE_REUSED"


class PaymentNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "PAYMENT_NOT_FOUND"


class VehicleRegisterAway(Refusal):
    kind = Kind.UNAVAILABLE
    code = "VEHICLE_REGISTER_AWAY"


class MoveNotAllowed(Exception):
    """A fine's transition table does not allow a change of state. This is a bug, as no caller can
    request such a change."""


class OwnerErased(Exception):
    """The owner's data were erased, so nothing may be stored under the owner's number again."""


class ViolationMissing(Exception):
    """The violations service has no violation with the requested id."""


class RegisterAway(Exception):
    """The vehicle register cannot be read."""


class RegisterRecordWrong(Exception):
    """The vehicle register has an invalid record for the requested plate."""
