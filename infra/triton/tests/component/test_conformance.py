"""The conformance test, on small real ONNX files: a good one passes, each flaw is named."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from store.conformance import CHECKS, conform, read_outside
from store.environment import HERE
from store.failures import BuildFailed

from ..conftest import Maker


def test_a_good_model_passes_every_check(outside: Maker, built: Path) -> None:
    passed = [each.check for each in conform(outside(), target=built)]
    assert passed == ["manifest", "contract", "file", *CHECKS]


@pytest.mark.parametrize(
    ("flaw", "told"),
    [
        ("no model", "is not a valid ONNX file"),
        ("fixed sides", "image has fixed sides"),
        ("nan", "numbers that are none"),
        ("loses the batch", "on batch it gives boxes"),
        ("leans on the batch", "gets another answer in a batch"),
        ("operators of its own", "uses operators of"),
        ("scores above one", "scores lie from 0 to 1.5"),
        ("class beyond the labels", "classes beyond its 1 labels"),
        ("weights elsewhere", "in other files"),
    ],
)
def test_each_flaw_is_named(outside: Maker, built: Path, flaw: str, told: str) -> None:
    with pytest.raises(BuildFailed, match=told):
        list(conform(outside(flaw=flaw), target=built))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"labels": []}, "labels are missing"),
        ({"labels": ["a b", "a b"]}, "two labels are the same"),
        ({"task": "plates"}, "task is 'plates'"),
        ({"sha256": "0" * 64}, "sha256 and source.files differ"),
        ({"build": "nanodet:convert"}, "build must be null"),
    ],
)
def test_manifest_must_keep_the_contract(
    outside: Maker, built: Path, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(BuildFailed, match=told):
        list(conform(outside(**changes), target=built))


def test_a_changed_file_is_refused(outside: Maker, built: Path) -> None:
    folder = outside()
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BuildFailed, match="has the SHA-256"):
        list(conform(folder, target=built))


def test_one_bad_model_keeps_all_outside(outside: Maker, built: Path) -> None:
    good = outside()
    outside("nan_squares", flaw="nan")
    with pytest.raises(BuildFailed, match="numbers that are none"):
        read_outside(good.parent, target=built, tell=lambda line: None)


def test_command_prints_each_check_and_fails_with_a_line(outside: Maker, built: Path) -> None:
    good, bad = outside(), outside("long_squares", flaw="scores above one")
    answers = [_command(folder) for folder in (good, bad)]
    assert [answer.returncode for answer in answers] == [0, 1]
    lines = answers[0].stdout.splitlines()
    assert [line.split()[1] for line in lines if "passed" in line][-1] == "time"
    failed = [line for line in answers[1].stdout.splitlines() if "FAILED" in line]
    assert len(failed) == 1 and "scores lie from 0 to 1.5" in failed[0]
    assert "Traceback" not in answers[1].stdout + answers[1].stderr


def test_our_own_manifests_are_no_outside_models(built: Path) -> None:
    folder = HERE / "models/object_detector"
    assert json.loads((folder / "manifest.json").read_text())["task"] == "scene_objects"
    with pytest.raises(BuildFailed, match="an outside model has 'objects'"):
        list(conform(folder, target=built))


def _command(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "conform.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
