"""The id under which a report is stored if another partner has a report with the id of its app."""

from uuid import UUID

from chassis.clock import new_id, parse_id, parse_new_id
from citizen_reports.model.own_ids import derived_id, id_of_app
from hypothesis import given
from hypothesis import strategies as st

ids = st.integers(0, 2**122 - 1).map(
    lambda n: UUID(int=n >> 75 << 80 | 7 << 76 | (n >> 62 & 0xFFF) << 64 | 2 << 62 | n & 2**62 - 1)
)


@given(ids.filter(lambda made: made.int < 2**127), st.text(min_size=1, max_size=40))
def test_a_derived_id_converts_back_to_the_apps_id(made: UUID, partner: str) -> None:
    derived = derived_id(made, partner)
    assert derived != made
    assert parse_id(str(derived)) == derived  # a UUIDv7 as all others
    assert id_of_app(derived, partner) == made
    assert id_of_app(made, partner) == made


def test_no_app_may_choose_a_derived_id() -> None:
    made = new_id()
    assert parse_new_id(str(made)) == made
    assert parse_new_id(str(derived_id(made, "halyk"))) is None


def test_each_partner_has_an_id_of_its_own() -> None:
    made = new_id()
    partners = ("halyk", "kaspi", "eurasian", "egov")
    assert len({derived_id(made, partner) for partner in partners}) == len(partners)
