"""Who answers is left alone, however long it is unready; who is silent or broken is restarted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tartip_cli.data_dir import DataDir
from tartip_cli.parts.health import READY, Health, broken, degraded, silent, unready
from tartip_cli.parts.part import HUNG_AFTER_PROBES
from tartip_cli.supervisor.disk import LOW_BYTES, Disk, disks_of
from tartip_cli.supervisor.health import BROKEN_AFTER_PROBES, Judge

SILENT, BROKEN = silent("no answer in time"), broken("JetStream is off")


def verdicts(*findings: Health) -> list[str | None]:
    judge = Judge(HUNG_AFTER_PROBES)
    return [judge.verdict(finding) for finding in findings]


@pytest.mark.parametrize("finding", [READY, degraded("full"), unready("NOT_SERVING")])
def test_whoever_answers_is_not_restarted(finding: Health) -> None:
    assert not any(verdicts(*[finding] * 100))


def test_whoever_is_silent_for_long_is_hung() -> None:
    found = verdicts(*[SILENT] * HUNG_AFTER_PROBES)
    assert not any(found[:-1])
    assert found[-1] == "it is hung: no answer to 6 probes in a row (no answer in time)"


def test_one_answer_among_the_silence_begins_the_count_anew() -> None:
    almost = [SILENT] * (HUNG_AFTER_PROBES - 1)
    assert not any(verdicts(*almost, unready("starting"), *almost))


def test_whoever_says_twice_that_it_is_broken_is_restarted() -> None:
    assert verdicts(*[BROKEN] * BROKEN_AFTER_PROBES)[-1] == "it is broken: JetStream is off"
    assert not any(verdicts(*[BROKEN] * (BROKEN_AFTER_PROBES - 1), READY, BROKEN))


@pytest.mark.parametrize(
    ("total", "free", "is_low"),
    [
        (10 * LOW_BYTES, LOW_BYTES - 1, True),
        (10 * LOW_BYTES, LOW_BYTES, False),
        (100 * LOW_BYTES, 5 * LOW_BYTES - 1, True),
        (100 * LOW_BYTES, 5 * LOW_BYTES, False),
    ],
)
def test_a_disk_is_nearly_full_below_a_gibibyte_or_five_percent(
    total: int, free: int, is_low: bool
) -> None:
    assert Disk("/data", total, free).is_nearly_full is is_low


def test_the_warning_names_the_folder_and_the_room_that_is_left() -> None:
    notice = Disk("/data", 100 * LOW_BYTES, LOW_BYTES // 2).notice()
    assert notice["code"] == "DISK_NEARLY_FULL"
    assert "only 512 MiB (0.5 %) are free under /data" in str(notice["text"])


def test_one_disk_is_named_once(tmp_path: Path) -> None:
    home = DataDir(tmp_path)
    home.postgres.mkdir()
    usage = shutil.disk_usage(tmp_path)
    (disk,) = disks_of(home)
    assert (disk.path, disk.total_bytes) == (str(tmp_path), usage.total)
