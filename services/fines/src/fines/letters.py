"""The letters to the owner in Kazakh and Russian, with everything that KoAP Art. 822-1(1) demands.

The output is deterministic: the same fine always gives the same letter, byte for byte.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from law.articles import Article
from law.authorities import Authority
from law.fine_dates import DayCount
from law.fine_terms import FineTerms
from law.identity_numbers import is_bin
from law.zone import in_almaty

from fines.letter_page import hashes, heading, listed, page, sums, table, warning
from fines.letter_words import (
    CANCELLED_KK,
    CANCELLED_RU,
    KK,
    NOTHING,
    REFUNDED_KK,
    REFUNDED_RU,
    RU,
    Words,
    readings,
)
from fines.model.fine import Fine
from fines.model.ledger import Payment, Refund
from fines.model.prescription import Particulars

SIGNATURE_PLACE = "<!-- signature -->"


@dataclass(frozen=True)
class LetterTerms:
    """The time limits that the letter states. `day_count` says whether their days are working days
    or calendar days."""

    terms: FineTerms
    day_count: DayCount

    @property
    def placeholders(self) -> dict[str, int]:
        """The values inserted into the letter's texts, by the name of their placeholder: the time
        limits in days and the discount in percent."""
        return {
            "discount": self.terms.discount_days,
            "percent": self.terms.discount_percent,
            "considered": self.terms.considered_days,
            "appeal": self.terms.appeal_days,
            "voluntary": self.terms.voluntary_days,
        }


def prescription(
    fine: Fine,
    particulars: Particulars,
    article: Article,
    authority: Authority,
    terms: LetterTerms,
    assumed_years: Iterable[int] = (),
) -> str:
    """Return the prescription to pay the fine, a letter to the owner, as an unsigned HTML page.

    The page contains `SIGNATURE_PLACE`, which the electronic seal replaces by the signature.
    `assumed_years` are the years whose legal tables were assumed for a trial run; if there are any,
    the page warns that it is only a trial.
    """
    sections = (
        _section(
            fine,
            words,
            terms,
            facts=_facts(fine, particulars, article, authority, words),
            evidence=particulars.evidence_sha256,
        )
        for words in (KK, RU)
    )
    body = [*sections, f'<footer class="hash">{SIGNATURE_PLACE}</footer>']
    return page(fine.number, [*_trial(assumed_years), *body])


def discount_notice(fine: Fine) -> str:
    """Return the letter which says that the discount has ended and the full amount is due (KoAP
    Art. 823(1)). The letter is an HTML page."""
    assert fine.amount
    full = tenge(fine.amount.full_minor)
    return page(
        fine.number,
        [
            *_trial(fine.assumed_years),
            f"<p lang=kk>№ {fine.number} айыппұл: жеңілдік мерзімі өтті, төлеуге {full}.</p>",
            f"<p lang=ru>Штраф № {fine.number}: льготный срок истёк, к оплате {full}.</p>",
        ],
    )


def cancellation_notice(fine: Fine, payment: Payment | None) -> str:
    """Return the letter which says that the fine is cancelled and nothing is owed. The letter is an
    HTML page. If `payment` was refunded, the letter states the refund with its bank and dates."""
    kk, ru = CANCELLED_KK, CANCELLED_RU
    parts = {"number": fine.number}
    if payment and payment.refund:
        kk, ru = REFUNDED_KK, REFUNDED_RU
        parts |= _refund_parts(payment, payment.refund)
    return page(
        fine.number,
        [
            *_trial(fine.assumed_years),
            f'<p lang="kk">{escape(kk.format(**parts))}</p>',
            f'<p lang="ru">{escape(ru.format(**parts))}</p>',
        ],
    )


def _refund_parts(payment: Payment, refund: Refund) -> dict[str, str]:
    return {
        "amount": tenge(refund.amount_minor),
        "bank": payment.partner,
        "value_date": payment.value_date.isoformat(),
        "bank_reference": payment.bank_reference,
        "refunded_on": in_almaty(refund.refunded_at).date().isoformat(),
        "refund_id": str(refund.refund_id),
    }


def _trial(assumed_years: Iterable[int]) -> list[str]:
    """Return the warnings at the top of a trial letter, which has no legal force; none if no
    year is assumed."""
    years = ", ".join(map(str, assumed_years))
    if not years:
        return []
    return [warning(words.assumed.format(years=years), words.language) for words in (KK, RU)]


def tenge(amount_minor: int) -> str:
    whole, tiyn = divmod(amount_minor, 100)
    return f"{whole:,}".replace(",", " ") + f",{tiyn:02d} ₸"


def _section(
    fine: Fine,
    words: Words,
    terms: LetterTerms,
    *,
    facts: Iterable[str],
    evidence: Iterable[str],
) -> str:
    """Return the part of the letter in one language, which is printed on pages of its own."""
    assert fine.amount
    day, numbers = words.days[terms.day_count], terms.placeholders
    amounts = (
        (words.full, tenge(fine.amount.full_minor)),
        (words.discounted.format(**numbers), tenge(fine.amount.discounted_minor)),
    )
    parts = (
        heading(words.title, fine.number),
        sums(amounts, words.last_day.format(day=day.ordinal, **numbers)),
        table(zip(words.labels, facts, strict=True)),
        listed(term.format(day=day.many, **numbers) for term in words.terms),
        hashes(words.evidence, evidence),
    )
    return f'<section lang="{words.language}">\n' + "\n".join(parts) + "\n</section>"


def _facts(
    fine: Fine,
    particulars: Particulars,
    article: Article,
    authority: Authority,
    words: Words,
) -> tuple[str, ...]:
    """Return the values of the letter's table, in the order of `words.labels`."""
    owner, born = particulars.owner, particulars.owner_birth_date
    place = f"{particulars.latitude:.6f}, {particulars.longitude:.6f}"
    verification = (
        particulars.verification_number,
        particulars.verification_from,
        particulars.verification_until,
    )
    return (
        words.choose(kk=authority.name_kk, ru=authority.name_ru),
        words.choose(kk=authority.address_kk, ru=authority.address_ru),
        owner.name,
        owner.number,
        NOTHING if is_bin(owner.number) or born is None else born.isoformat(),
        owner.address,
        particulars.vehicle,
        particulars.plate,
        in_almaty(fine.occurred_at).strftime("%Y-%m-%d %H:%M:%S"),
        f"{particulars.address} ({place})".strip(),
        words.choose(kk=article.substance_kk, ru=article.substance_ru),
        fine.article,
        readings(particulars, words),
        particulars.device_name,
        particulars.device_serial,
        particulars.certificate_number,
        ", ".join(part for part in verification if part) or NOTHING,
        particulars.officer,
    )
