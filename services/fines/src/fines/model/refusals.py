"""Every "no" of this service, by name; at the end, what its workers meet and no caller sees."""

from chassis.refusals import Kind, Refusal, Says
from law.refusals import TableYearMissing as TableYearMissing


class FineNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "FINE_NOT_FOUND"
    says = Says(en="There is no such fine.", ru="Такого штрафа нет.", kk="Мұндай айыппұл жоқ.")


class FineNotPayable(Refusal):
    code = "FINE_NOT_PAYABLE"
    says = Says(
        en="This fine cannot be paid now.",
        ru="Этот штраф сейчас нельзя оплатить.",
        kk="Бұл айыппұлды қазір төлеуге болмайды.",
    )


class FineAlreadyPaid(Refusal):
    code = "FINE_ALREADY_PAID"
    says = Says(
        en="This fine is already paid.",
        ru="Этот штраф уже оплачен.",
        kk="Бұл айыппұл төленіп қойған.",
    )


class FineCancelled(Refusal):
    code = "FINE_CANCELLED"
    says = Says(
        en="This fine was cancelled; nothing is owed.",
        ru="Этот штраф отменён; платить не нужно.",
        kk="Бұл айыппұл жойылған; төлеудің қажеті жоқ.",
    )


class FineAlreadyCancelled(Refusal):
    code = "FINE_ALREADY_CANCELLED"
    says = Says(
        en="This fine is already cancelled.",
        ru="Этот штраф уже отменён.",
        kk="Бұл айыппұл бұрын жойылған.",
    )


class AmountDiffers(Refusal):
    code = "AMOUNT_DIFFERS"
    says = Says(
        en="The amount is not what was due on the value date. Quote the fine again.",
        ru="Сумма не равна причитавшейся на дату списания. Запросите сумму снова.",
        kk="Сома есептен шығару күні тиесілі сомаға тең емес. Соманы қайта сұраңыз.",
    )


class BankReferenceReused(Refusal):
    kind = Kind.EXISTS
    code = "BANK_REFERENCE_REUSED"
    says = Says(
        en="This bank reference already stands on another payment.",
        ru="Этот банковский номер уже указан в другом платеже.",
        kk="Бұл банк нөмірі басқа төлемде көрсетілген.",
    )


class PaymentNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "PAYMENT_NOT_FOUND"
    says = Says(en="There is no such payment.", ru="Такого платежа нет.", kk="Мұндай төлем жоқ.")


class VehicleRegisterAway(Refusal):
    kind = Kind.AWAY
    code = "VEHICLE_REGISTER_AWAY"
    says = Says(
        en="The vehicle register cannot be read. Try again later.",
        ru="Реестр транспортных средств недоступен. Повторите позже.",
        kk="Көлік құралдарының тізілімі қолжетімсіз. Кейінірек қайталаңыз.",
    )


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
