"""Every "no" of this service, by name; at the end, what its workers meet and no caller sees."""

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
    """A move that the transition table does not know: a bug, no caller can ask for it."""


class OwnerErased(Exception):
    """The owner was erased: nothing may be kept under that number again."""


class ViolationMissing(Exception):
    """The violations service knows no such violation."""


class RegisterAway(Exception):
    """The vehicle register cannot be read."""


class RegisterRecordWrong(Exception):
    """What the vehicle register holds of this plate is no record."""
