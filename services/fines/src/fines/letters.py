"""The letter to the owner in Kazakh and Russian, with everything KoAP Art. 822-1(1) demands.

The same fine gives the same letter, byte for byte: a letter that is written again changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from fines.lawbooks import Authority
from fines.model.days import DayCount, in_almaty
from fines.model.fine import Fine
from fines.model.identifiers import is_bin
from fines.model.prescription import Particulars
from fines.model.tariff import Article

SIGNATURE_PLACE = "<!-- signature -->"


@dataclass(frozen=True)
class _Words:
    """One language of the letter."""

    title: str
    labels: tuple[str, ...]
    terms: tuple[str, ...]


_KK = _Words(
    title="Айыппұл төлеу қажеттігі туралы нұсқама",
    labels=(
        "Нұсқаманы шығарған орган", "Органның мекенжайы", "Көлік құралының меншік иесі",
        "ЖСН/БСН", "Туған күні", "Мекенжайы", "Көлік құралы",
        "Мемлекеттік тіркеу нөмірі", "Күні мен уақыты (Алматы)", "Орны",
        "Құқық бұзушылықтың мәні", "ӘҚБтК бабы", "Тіркелген көрсеткіштер", "Құрылғы",
        "Құрылғының зауыт нөмірі", "Сертификат", "Тексеру (нөмірі, күні, мерзімі)",
        "Шешім қабылдаған қызметкер", "Айыппұл сомасы", "Жеңілдетілген сома (50 %)",
    ),
    terms=(
        "Нұсқама табыс етілген күннен кейін {discount} {day} ішінде айыппұлдың 50 %-ын төлеуге "
        "болады (ӘҚБтК 811-бап).",
        "Төленбесе, іс табыс етілгеннен кейін {considered} {day} өткенде қаралған болып есептеледі "
        "(817-бап).",
        "Одан кейінгі {appeal} {day} ішінде жоғары тұрған органға немесе сотқа шағымдануға болады "
        "(826-2, 829-4-баптар).",
        "Күшіне енген күннен бастап {voluntary} {day} ішінде ерікті түрде төленеді (893-бап).",
        "Көлікті өзге адам жүргізсе немесе ол заңсыз иеліктен шықса, меншік иесі босатылады "
        "(31-баптың 3-бөлігі).",
    ),
)  # fmt: skip
_RU = _Words(
    title="Предписание о необходимости уплаты штрафа",
    labels=(
        "Орган, выдавший предписание", "Адрес органа", "Собственник транспортного средства",
        "ИИН/БИН", "Дата рождения", "Адрес", "Транспортное средство",
        "Государственный регистрационный номер", "Дата и время (Алматы)", "Место",
        "Существо правонарушения", "Статья КоАП", "Зафиксированные показания", "Прибор",
        "Заводской номер прибора", "Сертификат", "Поверка (номер, дата, срок)",
        "Сотрудник, принявший решение", "Сумма штрафа", "Сокращённая сумма (50 %)",
    ),
    terms=(
        "50 % штрафа можно уплатить в течение {discount} {day} после надлежащей доставки "
        "предписания (ст. 811 КоАП).",
        "Если штраф не уплачен, дело считается рассмотренным по истечении {considered} {day} после "
        "доставки (ст. 817).",
        "В течение следующих {appeal} {day} предписание можно обжаловать в вышестоящий орган или "
        "в суд (ст. 826-2, 829-4).",
        "Срок добровольной уплаты: {voluntary} {day} со дня вступления в силу (ст. 893).",
        "Собственник освобождается, если транспортом владело другое лицо или он выбыл из владения "
        "неправомерно (ч. 3 ст. 31).",
    ),
)  # fmt: skip
_DAYS = {
    DayCount.WORKING: ("жұмыс күні", "рабочих дней"),
    DayCount.CALENDAR: ("күнтізбелік күн", "календарных дней"),
}
_TERM_DAYS = {"discount": 7, "considered": 15, "appeal": 10, "voluntary": 30}


def prescription(
    fine: Fine,
    particulars: Particulars,
    article: Article,
    authority: Authority,
    day_count: DayCount,
) -> str:
    """An HTML page; `SIGNATURE_PLACE` is where the authority's electronic seal goes."""
    shared = _shared(fine, particulars)
    day_kk, day_ru = _DAYS[day_count]
    body = [
        _section("kk", _KK, fine.number, day_kk,
                 (authority.name_kk, authority.address_kk, *shared[:8], article.substance_kk,
                  *shared[8:])),
        _section("ru", _RU, fine.number, day_ru,
                 (authority.name_ru, authority.address_ru, *shared[:8], article.substance_ru,
                  *shared[8:])),
        f"<p>SHA-256: {escape(', '.join(particulars.evidence_sha256))}</p>",
        SIGNATURE_PLACE,
    ]  # fmt: skip
    return _page(fine.number, body)


def discount_notice(fine: Fine) -> str:
    """Art. 823(1): the sum has gone back to 100 %."""
    assert fine.amount
    full = tenge(fine.amount.full_minor)
    return _page(
        fine.number,
        [
            f"<p lang=kk>№ {fine.number} айыппұл: жеңілдік мерзімі өтті, төлеуге {full}.</p>",
            f"<p lang=ru>Штраф № {fine.number}: льготный срок истёк, к оплате {full}.</p>",
        ],
    )


def cancellation_notice(fine: Fine) -> str:
    return _page(
        fine.number,
        [
            f"<p lang=kk>№ {fine.number} айыппұл жойылды. Төленген сома қайтарылады.</p>",
            f"<p lang=ru>Штраф № {fine.number} отменён. Уплаченная сумма возвращается.</p>",
        ],
    )


def tenge(amount_minor: int) -> str:
    whole, tiyn = divmod(amount_minor, 100)
    return f"{whole:,}".replace(",", " ") + f",{tiyn:02d} ₸"


def _shared(fine: Fine, particulars: Particulars) -> tuple[str, ...]:
    """What reads the same in both languages, in the order of the labels."""
    assert fine.amount
    owner, born = particulars.owner, particulars.owner_birth_date
    place = f"{particulars.latitude:.6f}, {particulars.longitude:.6f}"
    verification = (
        particulars.verification_number,
        particulars.verification_from,
        particulars.verification_until,
    )
    return (
        owner.name,
        owner.number,
        "–" if is_bin(owner.number) or born is None else born.isoformat(),
        owner.address,
        particulars.vehicle,
        particulars.plate,
        in_almaty(fine.occurred_at).strftime("%Y-%m-%d %H:%M:%S"),
        f"{particulars.address} ({place})".strip(),
        fine.article,
        _readings(particulars),
        particulars.device_name,
        particulars.device_serial,
        particulars.certificate_number,
        ", ".join(part for part in verification if part) or "–",
        particulars.officer,
        tenge(fine.amount.full_minor),
        tenge(fine.amount.discounted_minor),
    )


def _readings(particulars: Particulars) -> str:
    if particulars.speed_kmh is None:
        return "–"
    limit = particulars.speed_limit_kmh
    over = particulars.over_kmh
    return (
        f"{particulars.speed_kmh:g} km/h"
        + (f" / {limit:g} km/h" if limit is not None else "")
        + (f" (+{over:g})" if over is not None else "")
    )


def _section(language: str, words: _Words, number: str, day: str, values: Iterable[str]) -> str:
    rows = "".join(
        f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>"
        for label, value in zip(words.labels, values, strict=True)
    )
    terms = "".join(
        f"<li>{escape(term.format(day=day, **_TERM_DAYS))}</li>" for term in words.terms
    )
    return (
        f'<section lang="{language}"><h1>{escape(words.title)} № {number}</h1>'
        f"<table>{rows}</table><ol>{terms}</ol></section>"
    )


def _page(number: str, body: Iterable[str]) -> str:
    return (
        '<!doctype html><html lang="kk"><head><meta charset="utf-8">'
        f"<title>{number}</title></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )
