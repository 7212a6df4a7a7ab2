"""The conformance test that an external model must pass before it is served.

The model is run in a process of its own, in Triton's Python, on empty and random pictures of
several sizes. A failed check is reported in one line; the checks after it are not run.
"""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from store.environment import HERE, digest
from store.failures import BuildFailed
from store.manifest import FromOutside, Manifest, read_manifest

ONNX: Final = "model.onnx"
OBJECT_INPUT: Final = ("image", "UINT8", [-1, -1, 3])
COLUMNS: Final = 6  # x1, y1, x2, y2, score, class
MOST_ROWS: Final = 1000
MOST_BYTES: Final = 512 * 2**20
MOST_MILLISECONDS: Final = 2000.0
PROBE_SECONDS: Final = 300
SIZES: Final = ((384, 640), (416, 416), (640, 384))
SAME: Final = 1e-3
"""The largest difference between two outputs for the same picture, in pixels or as a score."""


@dataclass(frozen=True)
class Passed:
    """A check that the model passed: the check's name and what it found."""

    check: str
    seen: str


@dataclass(frozen=True)
class Asked:
    """The result of running an external model on test pictures with `runner/probe.py`.

    `declared` is what the model's file declares. `questions` has the pictures by name. `answers`
    has the model's output for each picture, and `milliseconds` has the time it took, by name of the
    picture. `problem` says why the model could not be run; it is "" if the model ran.
    """

    declared: Mapping[str, Any]
    questions: Mapping[str, NDArray[np.uint8]]
    answers: Mapping[str, NDArray[np.float32]]
    milliseconds: Mapping[str, float]
    problem: str


Check = Callable[[Manifest, Path, Asked], str]


def conform(folder: Path, *, target: Path) -> Iterator[Passed]:
    """Check the external model in a folder and yield each check that it passes.

    `target` holds Triton's environment. Raises BuildFailed at the first check that fails.
    """
    manifest = read_manifest(folder)
    yield Passed("manifest", f"{manifest.name}: {manifest.purpose} ({manifest.licence})")
    yield Passed("contract", _contract(manifest))
    yield Passed("file", _file(manifest, folder))
    asked = _ask(folder / ONNX, target)
    for name, check in CHECKS.items():
        yield Passed(name, check(manifest, folder, asked))


def read_outside(folder: Path, *, target: Path, tell: Callable[[str], None]) -> dict[str, Manifest]:
    """Check every external model in a folder and return their manifests by name.

    `target` holds Triton's environment; `tell` is called with a line of text for each model. Raises
    BuildFailed at the first model that does not conform.
    """
    if not folder.is_dir():
        raise BuildFailed(f"the folder of outside models, {folder}, is not there")
    found = {}
    for path in sorted(each for each in folder.iterdir() if each.is_dir()):
        passed = list(conform(path, target=target))
        found[path.name] = read_manifest(path)
        tell(f"outside model {path.name}: {len(passed)} checks passed")
    return found


def _contract(manifest: Manifest) -> str:
    """What the gateway relies on, as far as the manifest alone shows it."""
    _must(manifest.task == "objects", f"task is {manifest.task!r}; an outside model has 'objects'")
    source = manifest.source
    _must(isinstance(source, FromOutside), "source.kind must be 'outside'")
    _must(list(source.files) == [ONNX], f"source.files must name {ONNX} and nothing else")
    _must(manifest.build is None, "build must be null: the ONNX is served as it is")
    _must(source.files[ONNX] == manifest.sha256, "sha256 and source.files differ")
    taken = [(name, each.type, each.dims()) for name, each in manifest.inputs.items()]
    _must(taken == [OBJECT_INPUT], "inputs must be image: UINT8 [n, height, width, 3], free sides")
    given = [(name, each.type, each.shape[2:]) for name, each in manifest.outputs.items()]
    _must(given == [("boxes", "FP32", [COLUMNS])], "outputs must be boxes: FP32 [n, k, 6]")
    labels = manifest.labels
    _must(bool(labels), "labels are missing: they say what the class numbers mean")
    _must(len(set(labels)) == len(labels), "two labels are the same")
    return f"task objects, labels {', '.join(labels)}"


def _file(manifest: Manifest, folder: Path) -> str:
    path = folder / ONNX
    _must(path.is_file() and not path.is_symlink(), f"{path} is not there, or is a link")
    size = path.stat().st_size
    _must(size <= MOST_BYTES, f"{path} has {size} bytes; at most {MOST_BYTES} are taken")
    found = digest(path)
    _must(
        found == manifest.sha256, f"{path} has the SHA-256 {found}, not {manifest.sha256} as told"
    )
    return f"{size} bytes, SHA-256 {found}"


def _ask(onnx: Path, target: Path) -> Asked:
    questions = _questions()
    with tempfile.TemporaryDirectory() as scratch:
        asked, answered = Path(scratch) / "questions.npz", Path(scratch) / "answers.npz"
        np.savez(asked, **questions)  # type: ignore[arg-type]
        command = [
            *(str(target / "venv/bin/python"), str(HERE / "runner/probe.py")),
            *(str(onnx), str(asked), str(answered)),
        ]
        try:
            result = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=PROBE_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise BuildFailed(f"{onnx} took more than {PROBE_SECONDS} s; is it endless?") from None
        answers: Mapping[str, NDArray[np.float32]] = {}
        if answered.exists():
            with np.load(answered) as given:
                answers = {name: given[name] for name in given.files}
    told = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    said = result.stderr.strip().splitlines() or [f"ended with {result.returncode}"]
    return Asked(
        declared=told[0] if told else {},
        questions=questions,
        answers=answers,
        milliseconds=told[1] if len(told) > 1 else {},
        problem=said[-1] if result.returncode else "",
    )


def _questions() -> dict[str, NDArray[np.uint8]]:
    """Empty, full and random pictures by name, and one batch of three different ones."""
    random = np.random.default_rng(20260101)
    asked: dict[str, NDArray[np.uint8]] = {}
    for height, width in SIZES:
        shape = (1, height, width, 3)
        asked[f"empty {width}x{height}"] = np.zeros(shape, np.uint8)
        asked[f"random {width}x{height}"] = random.integers(0, 256, shape, np.uint8)
    asked["white"] = np.full((1, *SIZES[0], 3), 255, np.uint8)
    height, width = SIZES[0]
    alone = [asked[f"empty {width}x{height}"], asked[f"random {width}x{height}"], asked["white"]]
    asked["batch"] = np.concatenate(alone)
    return asked


def _is_onnx(manifest: Manifest, folder: Path, asked: Asked) -> str:
    _must(bool(asked.declared), f"{ONNX} is not a valid ONNX file: {asked.problem}")
    outside, domains = asked.declared["outside_files"], asked.declared["domains"]
    _must(not outside, f"{ONNX} keeps {outside[:3]} in other files; put the weights inside")
    _must(not domains, f"{ONNX} uses operators of {domains}; only those of ONNX itself are run")
    return "complete in itself, operators of ONNX alone"


def _declares(manifest: Manifest, folder: Path, asked: Asked) -> str:
    for kind, promised in (("inputs", manifest.inputs), ("outputs", manifest.outputs)):
        found = {each["name"]: each for each in asked.declared[kind]}
        _must(
            set(found) == set(promised),
            f"{ONNX} has the {kind} {sorted(found)}, the manifest {sorted(promised)}",
        )
        for name, tensor in promised.items():
            has = found[name]["type"]
            _must(has == tensor.type, f"{name} is {has}, the manifest says {tensor.type}")
    image = next(each for each in asked.declared["inputs"])
    fixed = [side for side in image["shape"][:3] if side > 0]
    _must(not fixed, f"image has fixed sides {image['shape']}; batch, height and width must vary")
    return "image UINT8 and boxes FP32, free sides"


def _runs(manifest: Manifest, folder: Path, asked: Asked) -> str:
    _must(not asked.problem, f"it does not run: {asked.problem}")
    for name, picture in asked.questions.items():
        boxes = asked.answers[name]
        right = boxes.ndim == 3 and len(boxes) == len(picture) and boxes.shape[2] == COLUMNS
        _must(right, f"on {name} it gives boxes {list(boxes.shape)}, not [{len(picture)}, k, 6]")
        _must(
            boxes.shape[1] <= MOST_ROWS,
            f"on {name} it gives {boxes.shape[1]} rows; at most {MOST_ROWS}: suppress doubles",
        )
    return f"{len(asked.questions)} pictures and batches of {len(SIZES)} sizes"


def _in_range(manifest: Manifest, folder: Path, asked: Asked) -> str:
    for name, picture in asked.questions.items():
        rows = asked.answers[name].reshape(-1, COLUMNS)
        _must(bool(np.isfinite(rows).all()), f"on {name} it gives numbers that are none (nan, inf)")
        scores = rows[:, 4]
        _must(
            bool(((scores >= 0) & (scores <= 1)).all()),
            f"on {name} scores lie from {scores.min(initial=0):.3g} to "
            f"{scores.max(initial=0):.3g}, not from 0 to 1",
        )
        found = rows[scores > 0]
        classes = found[:, 5]
        known = (classes == classes.round()) & (classes >= 0) & (classes < len(manifest.labels))
        _must(
            bool(known.all()),
            f"on {name} it gives classes beyond its {len(manifest.labels)} labels",
        )
        sides = np.array([picture.shape[2], picture.shape[1]] * 2, np.float32)
        boxes = found[:, :4]
        inside = (boxes >= -sides / 2) & (boxes <= sides * 1.5)
        ordered = (boxes[:, :2] <= boxes[:, 2:]).all(axis=1)
        _must(
            bool(inside.all() and ordered.all()),
            f"on {name} boxes are not x1, y1, x2, y2 in pixels of the picture",
        )
    return "scores 0 to 1, classes within the labels, boxes in pixels"


def _repeats(manifest: Manifest, folder: Path, asked: Asked) -> str:
    """What a picture gets must not hang on what else is in the batch."""
    height, width = SIZES[0]
    names = (f"empty {width}x{height}", f"random {width}x{height}", "white")
    for place, name in enumerate(names):
        alone, batched = _found(asked.answers[name][0]), _found(asked.answers["batch"][place])
        same = alone.shape == batched.shape and bool(np.allclose(alone, batched, atol=SAME))
        _must(same, f"{name} gets another answer in a batch of three than alone")
    return "a picture gets the same answer alone and in a batch"


def _in_time(manifest: Manifest, folder: Path, asked: Asked) -> str:
    slowest = max(asked.milliseconds, key=lambda name: asked.milliseconds[name])
    took = asked.milliseconds[slowest]
    _must(
        took <= MOST_MILLISECONDS,
        f"{took:.0f} ms for one picture ({slowest}); at most {MOST_MILLISECONDS:.0f} on one core",
    )
    return f"at most {took:.1f} ms a picture on one core"


def _found(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows with a score, in one order."""
    found = rows[rows[:, 4] > 0]
    return found[np.lexsort(found.T)]


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BuildFailed(otherwise)


CHECKS: Final[Mapping[str, Check]] = {
    "onnx": _is_onnx,
    "tensors": _declares,
    "runs": _runs,
    "ranges": _in_range,
    "batches": _repeats,
    "time": _in_time,
}
