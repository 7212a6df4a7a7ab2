"""What `tartip verify` says of faulty records."""

from tartip_cli.cli.verify_records import NAMED_MAX, named


def test_many_faults_of_one_code_hide_none_of_another() -> None:
    altered = [f"WORK_ALTERED work:{n}" for n in range(NAMED_MAX + 2)]
    handled = "EVENT_NOT_HANDLED event:1"
    assert named([*altered, handled]) == [
        *altered[:NAMED_MAX],
        "and 2 more WORK_ALTERED",
        handled,
    ]
