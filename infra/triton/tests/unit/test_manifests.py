"""Every served model has a card that says where it comes from; a wrong field is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from store.configuration import read_configuration
from store.environment import HERE
from store.failures import BuildFailed
from store.manifest import Manifest, read_manifest, read_manifests
from store.repository import together

MODELS = HERE / "models"
OURS = read_manifests(MODELS)


@pytest.mark.parametrize("name", OURS)
def test_every_served_model_has_a_card(name: str) -> None:
    manifest = OURS[name]
    assert manifest.purpose and manifest.licence and manifest.training
    assert manifest.source.files and len(manifest.sha256) == 64
    assert manifest.accuracy and all(manifest.accuracy.values())
    for tensor in (*manifest.inputs.values(), *manifest.outputs.values()):
        assert tensor.shape[0] == "n" and tensor.meaning


@pytest.mark.parametrize("name", OURS)
def test_configuration_agrees_with_the_manifest(name: str) -> None:
    config = read_configuration(MODELS / name, OURS[name])
    varies = any(-1 in tensor.dims for tensor in config.input)
    assert config.HasField("dynamic_batching") is not varies, "the batcher holds up what differs"
    if not varies:
        assert config.dynamic_batching.default_queue_policy.max_queue_size > 0


def test_packages_of_models_are_locked() -> None:
    lock = (HERE / "requirements.lock").read_text()
    named = [each.source for each in OURS.values() if each.source.kind == "pypi"]
    assert named
    for source in named:
        assert f"{source.package}=={source.version} \\\n    --hash=sha256:" in lock


def changed(tmp_path: Path, **changes: Any) -> Path:
    told = json.loads((MODELS / "plate_detector/manifest.json").read_text())
    told.update(changes)
    folder = tmp_path / "plate_detector"
    folder.mkdir()
    text = json.dumps({key: value for key, value in told.items() if value != "left out"})
    (folder / "manifest.json").write_text(text)
    return folder


def test_a_right_manifest_is_read(tmp_path: Path) -> None:
    assert read_manifest(changed(tmp_path)) == OURS["plate_detector"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sha256": "abc"}, "sha256: String should match"),
        ({"licence": "left out"}, "licence: Field required"),
        ({"accuracy": {}}, "accuracy: Dictionary should have at least 1 item"),
        ({"licensed": "MIT"}, "licensed: Extra inputs are not permitted"),
        ({"task": "wonders"}, "task: Input should be"),
        ({"instances": 0}, "instances: Input should be greater"),
        ({"instances": "2"}, "instances: Input should be a valid integer"),
        (
            {"source": {"kind": "repository", "files": {"../../etc/passwd": "0" * 64}}},
            "a path inside the package",
        ),
        ({"source": {"kind": "elsewhere", "files": {}}}, "source: Input tag 'elsewhere'"),
        ({"name": "another"}, "name is 'another', but the folder is 'plate_detector'"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(BuildFailed) as failure:
        read_manifest(changed(tmp_path, **changes))
    assert told in str(failure.value)
    assert "\n" not in str(failure.value)


def test_what_is_no_json_is_told(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(BuildFailed, match="is not JSON"):
        read_manifest(tmp_path)


def test_manifest_and_configuration_may_not_differ(tmp_path: Path) -> None:
    manifest = read_manifest(changed(tmp_path, max_batch_size=3))
    with pytest.raises(BuildFailed, match=r"differ in max_batch_size: 3 and 16"):
        read_configuration(MODELS / "plate_detector", manifest)


def test_an_outside_model_may_not_take_our_name() -> None:
    twice: dict[str, Manifest] = {"plate_detector": OURS["plate_detector"]}
    with pytest.raises(BuildFailed, match="names of ours: plate_detector"):
        together(OURS, twice, MODELS)
