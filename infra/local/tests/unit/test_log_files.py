"""Logs turn over while their parts write, and a reader sees no gap."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from tartip_cli.supervisor.logs import OLD_LOGS, old_log, read_log, turn_over

WRITER = """
import os, time
for number in range(199_999):
    os.write(1, b"%d\\n" % number)
time.sleep(0.5)  # what is written while the log is emptied may be lost, this is not
os.write(1, b"199999\\n")
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "fines.log"


def append(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_a_long_log_is_emptied_and_a_few_old_ones_are_kept(log: Path) -> None:
    for number in range(OLD_LOGS + 2):
        append(log, f"round {number}")
        assert turn_over(log, max_bytes=3)
    assert log.read_text() == ""
    kept = [old_log(log, number).read_text() for number in range(1, OLD_LOGS + 1)]
    assert kept == ["round 4\n", "round 3\n", "round 2\n"]
    assert len(list(log.parent.iterdir())) == OLD_LOGS + 1


def test_a_short_log_and_one_that_is_not_there_are_left_alone(log: Path) -> None:
    append(log, "short")
    assert not turn_over(log, max_bytes=100)
    assert not turn_over(log.with_name("none.log"))
    assert list(log.parent.iterdir()) == [log]


def test_a_log_that_cannot_be_copied_stays_whole_and_so_do_its_old_ones(log: Path) -> None:
    append(old_log(log, 1), "older")
    append(log, "what nobody has read yet")
    log.with_name(f"{log.name}.new").mkdir()
    assert not turn_over(log, max_bytes=3)
    assert log.read_text() == "what nobody has read yet\n"
    assert old_log(log, 1).read_text() == "older\n"


def test_a_process_that_writes_meanwhile_goes_on_in_the_emptied_log(log: Path) -> None:
    turns = 0
    with log.open("ab") as output:
        writer = subprocess.Popen([sys.executable, "-c", WRITER], stdout=output)
    while writer.poll() is None:
        turns += turn_over(log, max_bytes=50_000)
    assert turns > OLD_LOGS
    files = [old_log(log, number) for number in range(OLD_LOGS, 0, -1)] + [log]
    numbers = [int(line) for file in files for line in file.read_text().splitlines() if line]
    assert numbers == sorted(set(numbers)) and numbers[-1] == 199_999  # no line twice, none broken


def test_the_last_lines_reach_back_into_the_old_log(log: Path) -> None:
    append(log, *"abc")
    turn_over(log, max_bytes=3)
    append(log, "d")
    assert [line.strip() for line in read_log(log, count=3)] == ["b", "c", "d"]
    assert [line.strip() for line in read_log(log, count=1)] == ["d"]


def test_a_reader_that_follows_misses_no_line_when_the_log_turns_over(log: Path) -> None:
    append(log, "a")
    reading = read_log(log, count=10, follow=True)
    assert next(reading) == "a\n"
    append(log, "b", "c")
    assert next(reading) == "b\n"
    append(log, "d")
    turn_over(log, max_bytes=3)
    append(log, "e")
    assert list(itertools.islice(reading, 3)) == ["c\n", "d\n", "e\n"]


def test_a_reader_that_follows_waits_for_the_end_of_a_line(log: Path) -> None:
    log.write_text("")
    reading = read_log(log, count=10, follow=True)
    with log.open("a") as file:
        file.write('{"half": ')
        file.flush()
        file.write("1}\n")
    assert next(reading) == '{"half": 1}\n'
