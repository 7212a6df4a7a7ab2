"""What a letter says where amount or dates rest on a year without tables of the law."""

from dataclasses import replace

from fines.letters import LetterTerms, discount_notice, prescription
from fines.model.fine import State
from fines.model.prescription import particulars_of
from law.fine_dates import DayCount

from .samples import AMOUNT, ARTICLES, LAW, NOW, REGISTRATION, fine_in, violation


def test_every_letter_of_a_trial_says_first_that_nobody_owes_it() -> None:
    fine = fine_in(State.DELIVERED, amount=replace(AMOUNT, tariff_version="mci assumed:2027"))
    assert fine.assumed_years == (2027,)
    letter = prescription(
        fine,
        particulars_of(violation(), REGISTRATION),
        ARTICLES["RED_LIGHT"],
        LAW.authorities["KZ-75"],
        LetterTerms(LAW.terms.at(NOW), DayCount.WORKING),
        (2027, 2028),
    )
    for page, years in ((letter, "2027, 2028"), (discount_notice(fine), "2027")):
        assert page.index("ПРОБНЫЙ ДОКУМЕНТ") < page.index(fine.number, page.index("<main>"))
        assert years in page and "СЫНАҚ ҚҰЖАТЫ" in page
    known = fine_in(State.DELIVERED)
    assert known.assumed_years == () and "ПРОБНЫЙ" not in discount_notice(known)
