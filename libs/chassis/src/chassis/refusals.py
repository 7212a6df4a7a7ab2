"""Refusals: every "no" has its own name, a stable code and the same meaning on every transport.

    class FineAlreadyPaid(Refusal):
        kind = Kind.STATE
        code = "FINE_ALREADY_PAID"
        says = Says(en="This fine is already paid.", ru="…", kk="…")

`Checks` collects every wrong field of a request, so that a caller learns of all of them at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import grpc


class Kind(Enum):
    """What sort of "no" it is: (gRPC status, HTTP status)."""

    INVALID = (grpc.StatusCode.INVALID_ARGUMENT, 422)
    UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, 401)
    FORBIDDEN = (grpc.StatusCode.PERMISSION_DENIED, 403)
    NOT_FOUND = (grpc.StatusCode.NOT_FOUND, 404)
    EXISTS = (grpc.StatusCode.ALREADY_EXISTS, 409)
    STATE = (grpc.StatusCode.FAILED_PRECONDITION, 409)
    CONFLICT = (grpc.StatusCode.ABORTED, 409)
    OVERLOADED = (grpc.StatusCode.RESOURCE_EXHAUSTED, 429)
    AWAY = (grpc.StatusCode.UNAVAILABLE, 503)
    TIMEOUT = (grpc.StatusCode.DEADLINE_EXCEEDED, 504)
    BROKEN = (grpc.StatusCode.INTERNAL, 500)

    @property
    def grpc_status(self) -> grpc.StatusCode:
        return self.value[0]

    @property
    def http_status(self) -> int:
        return self.value[1]


@dataclass(frozen=True)
class Says:
    """One sentence for a person, in the three languages of the apps."""

    en: str
    ru: str
    kk: str


@dataclass(frozen=True)
class FieldError:
    """A wrong field: its path in the request, its own code, and what would be right."""

    field: str
    code: str
    description: str


class Refusal(Exception):
    """Base of all refusals; subclasses name the broken rule."""

    kind: ClassVar[Kind] = Kind.STATE
    code: ClassVar[str] = "REFUSED"
    says: ClassVar[Says] = Says(en="Refused.", ru="Отказано.", kk="Бас тартылды.")

    def __init__(self, *, fields: tuple[FieldError, ...] = (), facts: dict[str, str] | None = None):
        super().__init__(self.code)
        self.fields = fields
        # Ids and numbers a program may act on ("received_bytes"), never personal data.
        self.facts = facts or {}

    @property
    def reason(self) -> str:
        return self.code


class BadRequest(Refusal):
    """Wrong fields, all of them. Where all have one code of their own, it is the reason."""

    kind = Kind.INVALID
    code = "BAD_REQUEST"
    says = Says(
        en="Some fields are wrong; each is listed with what would be right.",
        ru="Некоторые поля заполнены неверно; каждое указано с пояснением.",
        kk="Кейбір өрістер қате; әрқайсысы түсіндірмесімен көрсетілген.",
    )

    @property
    def reason(self) -> str:
        codes = {error.code for error in self.fields}
        return codes.pop() if len(codes) == 1 else self.code


class IdReused(Refusal):
    kind = Kind.EXISTS
    code = "ID_REUSED"
    says = Says(
        en="This id was already used with other content. Make a new id for a new request.",
        ru="Этот идентификатор уже использован с другим содержанием. Создайте новый.",
        kk="Бұл идентификатор басқа мазмұнмен қолданылған. Жаңасын жасаңыз.",
    )


class NotAuthenticated(Refusal):
    kind = Kind.UNAUTHENTICATED
    code = "NOT_AUTHENTICATED"
    says = Says(
        en="No known certificate came with this call, or its token does not hold: sign in again.",
        ru="Нет известного сертификата, или токен недействителен: войдите снова.",
        kk="Белгілі сертификат жоқ немесе токен жарамсыз: қайта кіріңіз.",
    )


class TokenExpired(Refusal):
    kind = Kind.UNAUTHENTICATED
    code = "TOKEN_EXPIRED"
    says = Says(
        en="The token has expired. Sign in again.",
        ru="Срок действия токена истёк. Войдите снова.",
        kk="Токеннің мерзімі өтті. Қайта кіріңіз.",
    )


class NotAllowed(Refusal):
    kind = Kind.FORBIDDEN
    code = "NOT_ALLOWED"
    says = Says(
        en="You may not do this.",
        ru="У вас нет права на это действие.",
        kk="Бұл әрекетке құқығыңыз жоқ.",
    )


class DeadlineRequired(Refusal):
    kind = Kind.INVALID
    code = "DEADLINE_REQUIRED"
    says = Says(
        en="The call carries no deadline. Set one of a few seconds.",
        ru="Вызов не содержит срока ожидания. Укажите несколько секунд.",
        kk="Шақыруда күту мерзімі жоқ. Бірнеше секунд көрсетіңіз.",
    )


class Overloaded(Refusal):
    kind = Kind.OVERLOADED
    code = "OVERLOADED"
    says = Says(
        en="Too much work at the moment. Try again shortly; the same id is safe.",
        ru="Слишком большая нагрузка. Повторите чуть позже с тем же идентификатором.",
        kk="Жүктеме тым көп. Сәл кейін сол идентификатормен қайталаңыз.",
    )


class StorageAway(Refusal):
    kind = Kind.AWAY
    code = "STORAGE_AWAY"
    says = Says(
        en="The database cannot be reached. Try again; the same id is safe.",
        ru="База данных недоступна. Повторите с тем же идентификатором.",
        kk="Дерекқор қолжетімсіз. Сол идентификатормен қайталаңыз.",
    )


class Stopping(Refusal):
    kind = Kind.AWAY
    code = "SERVER_STOPPING"
    says = Says(
        en="This server is stopping. Connect again and go on from the last token.",
        ru="Сервер останавливается. Подключитесь снова и продолжите с последнего токена.",
        kk="Сервер тоқтап жатыр. Қайта қосылып, соңғы токеннен жалғастырыңыз.",
    )


class ClockUnsure(Refusal):
    kind = Kind.AWAY
    code = "CLOCK_UNSURE"
    says = Says(
        en="The service's clock and its database's differ; nothing is decided until they agree.",
        ru="Часы службы и базы данных расходятся; решения приостановлены.",
        kk="Қызмет пен дерекқор сағаттары сәйкес емес; шешімдер тоқтатылды.",
    )


class PageTokenWrong(Refusal):
    kind = Kind.INVALID
    code = "PAGE_TOKEN_WRONG"
    says = Says(
        en="This page token was not given by this list.",
        ru="Этот токен страницы не выдан этим списком.",
        kk="Бұл бет токенін осы тізім бермеген.",
    )


class Broken(Refusal):
    """A bug of ours: the caller gets an id to name, the log holds the rest."""

    kind = Kind.BROKEN
    code = "INTERNAL"
    says = Says(
        en="Something broke on our side. Quote the error id when you ask.",
        ru="Произошла внутренняя ошибка. При обращении назовите её номер.",
        kk="Ішкі қате болды. Хабарласқанда қате нөмірін айтыңыз.",
    )


class RemoteRefusal(Refusal):
    """A peer's refusal, handed on as it was said."""

    def __init__(
        self,
        kind: Kind,
        code: str,
        says: Says,
        fields: tuple[FieldError, ...],
        facts: dict[str, str],
    ) -> None:
        super().__init__(fields=fields, facts=facts)
        self.args = (code,)
        self.kind = kind  # type: ignore[misc]  # of this one refusal, not of its class
        self.code = code  # type: ignore[misc]
        self.says = says  # type: ignore[misc]


class Checks:
    """Collects wrong fields; leaving the `with` block raises `BadRequest` if there are any."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def wrong(self, field: str, description: str, *, code: str = "BAD_REQUEST") -> None:
        self.errors.append(FieldError(field, code, description))

    def that(self, holds: bool, field: str, description: str, *, code: str = "BAD_REQUEST") -> bool:
        if not holds:
            self.wrong(field, description, code=code)
        return holds


@contextmanager
def checks() -> Iterator[Checks]:
    collected = Checks()
    yield collected
    if collected.errors:
        raise BadRequest(fields=tuple(collected.errors))
