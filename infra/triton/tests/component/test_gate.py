"""Triton starts with what was built and with nothing else, as a user that can read just that."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store.configuration import FILE as CONFIG
from store.environment import HERE
from store.manifest import read_manifests
from store.repository import together, write_repository
from tartip_cli.failures import Failure
from tartip_cli.parts.triton import Triton
from tartip_cli.provision.models import check_models

from .conftest import START_SECONDS, prepare, running, starts

SMALL = ("object_detector", "plate_reader_kz")


@pytest.fixture(scope="module")
def written(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of few models, so that it starts fast."""
    own, folder = read_manifests(HERE / "models"), tmp_path_factory.mktemp("written")
    chosen = together({name: own[name] for name in SMALL}, {}, folder)
    write_repository(chosen, folder, tools=built)
    return folder


@pytest.fixture
def store(written: Path, target: Path) -> Path:
    """The same, for one test to harm."""
    return shutil.copytree(written, target, dirs_exist_ok=True)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("weights", "plate_reader_kz/1/model.onnx was changed since it was built"),
        ("runner", "plate_reader_kz/1/model.py was changed"),
        ("configuration", "plate_reader_kz/config.pbtxt was changed"),
        ("missing", "plate_reader_kz/1/model.onnx is missing"),
        ("link", "plate_reader_kz/1/model.onnx is missing"),
        ("another model", "a file that the set-up did not build"),
        ("compiled", "a file that the set-up did not build"),
        ("seal", "has no seal"),
    ],
)
def test_a_changed_store_is_refused_in_a_line(store: Path, harm: str, told: str) -> None:
    check_models(store, models=store / "models")
    _harm(store, harm)
    with pytest.raises(Failure) as failure:
        check_models(store, models=store / "models")
    assert told in failure.value.message
    assert "make models" in failure.value.message and "\n" not in failure.value.message


def test_what_is_built_again_is_in_order(store: Path) -> None:
    own = read_manifests(HERE / "models")
    for harm in ("weights", "runner", "configuration", "another model", "compiled"):
        _harm(store, harm)
    assert write_repository(
        together({name: own[name] for name in SMALL}, {}, store), store, tools=store
    )
    check_models(store, models=store / "models")


def test_triton_does_not_start_with_a_changed_model(
    store: Path, described: Callable[[Path], Triton]
) -> None:
    triton = described(store)
    _harm(store, "weights")
    with pytest.raises(Failure, match="was changed since it was built"):
        prepare(triton)


def test_a_model_changed_after_the_gate_is_not_loaded(
    store: Path, described: Callable[[Path], Triton], tmp_path: Path
) -> None:
    """The runner looks again at the very bytes that it loads."""
    triton, log = described(store), tmp_path / "triton.log"
    part = prepare(triton)
    (models,) = (Path(word.split("=")[1]) for word in part.command if "model-repository=" in word)
    _harm(models.parent, "weights", models=models)
    try:
        assert starts(part, log, seconds=START_SECONDS) != 0
        assert "was changed since it was built" in log.read_text()
    finally:
        if models != store / "models":
            shutil.rmtree(models)  # a copy that all runs of this store share


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give Triton another user")
def test_as_root_triton_is_nobody_and_reads_nothing_of_ours(
    store: Path, described: Callable[[Path], Triton], tmp_path: Path
) -> None:
    triton = described(store)
    with running(triton, tmp_path / "triton.log") as served:
        family = [served.pid, *_children(served.pid)]
        users = {_status(pid, "Uid:") for pid in family}
        part = triton.part()
        command = {word.partition("=")[0]: word.partition("=")[2] for word in part.command}
    assert len(family) > len(SMALL)
    assert part.user is not None
    assert users == {(str(part.user.uid),) * 4}
    assert triton.home.path.stat().st_mode & 0o077 == 0, "the data folder is closed to it"
    models = Path(command["--model-repository"])
    assert all(path.stat().st_uid == 0 for path in (models, *models.rglob("*")))
    assert all(path.stat().st_mode & 0o022 == 0 for path in (models, *models.rglob("*")))


def _harm(store: Path, how: str, *, models: Path | None = None) -> None:
    folder = (models or store / "models") / "plate_reader_kz"
    onnx = folder / "1/model.onnx"
    match how:
        case "weights":
            content = bytearray(onnx.read_bytes())
            content[len(content) // 2] ^= 1
            onnx.write_bytes(content)
        case "runner":
            with (folder / "1/model.py").open("a") as file:
                file.write("\n")
        case "configuration":
            text = (folder / CONFIG).read_text()
            (folder / CONFIG).write_text(text.replace("count: 1", "count: 2"))
        case "missing":
            onnx.unlink()
        case "link":
            onnx.rename(store / "elsewhere.onnx")
            onnx.symlink_to(store / "elsewhere.onnx")
        case "another model":
            shutil.copytree(folder, folder.with_name("plate_reader_xx"))
        case "compiled":
            (folder / "1/__pycache__").mkdir()
            (folder / "1/__pycache__/model.cpython-311.pyc").write_bytes(b"anything")
        case "seal":
            (store / "seal.json").unlink()


def _children(parent: int) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*"):
        if _status(int(path.name), "PPid:") == (str(parent),):
            yield int(path.name)


def _status(pid: int, field: str) -> tuple[str, ...]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return ()
    return next((tuple(line.split()[1:]) for line in lines if line.startswith(field)), ())
