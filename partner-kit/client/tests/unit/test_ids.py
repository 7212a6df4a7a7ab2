"""Ids that the client makes."""

import time
from uuid import UUID

from tartip_partner.ids import media_id_of, new_id


def test_a_new_id_is_a_uuid_of_version_7_of_now() -> None:
    made = UUID(new_id())
    assert made.version == 7 and made.variant == "specified in RFC 4122"
    assert abs((made.int >> 80) / 1000 - time.time()) < 5


def test_no_two_new_ids_are_the_same() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_the_id_of_a_file_is_the_same_for_the_same_report_and_content() -> None:
    report, other = new_id(), new_id()
    assert media_id_of(report, "aa") == media_id_of(report, "aa")
    assert (
        len({media_id_of(report, "aa"), media_id_of(report, "bb"), media_id_of(other, "aa")}) == 3
    )


def test_the_id_of_a_file_is_a_uuid_of_version_7_of_the_time_of_its_report() -> None:
    report = new_id()
    made = UUID(media_id_of(report, "aa"))
    assert made.version == 7 and made.int >> 80 == UUID(report).int >> 80
