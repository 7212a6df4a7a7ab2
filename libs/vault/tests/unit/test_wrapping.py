"""A class of keys changes over to a new wrapping key while its data keys are made and read."""

from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidTag
from vault import wrapping
from vault.keyring import DataKey, Keyring
from vault.wrapping import Rotation

CLASS = "person"


@pytest.fixture(autouse=True)
def reading_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapping, "READ_SECONDS", 0.0)


def rewrap(rotation: Rotation, key: DataKey) -> DataKey:
    wrapped = rotation.rewrapped(key.key_id, key.wrapped)
    assert wrapped is not None
    return DataKey(key.key_id, wrapped, key.plain)


def rotate(folder: Path, *keys: DataKey) -> list[DataKey]:
    rotation = Rotation.begin(folder, CLASS)
    found = [rewrap(rotation, key) for key in keys]
    rotation.finish()
    return found


def test_a_running_keyring_reads_old_and_new_and_wraps_by_the_new_key(tmp_path: Path) -> None:
    running = Keyring(tmp_path)
    old = running.new_data_key(CLASS)
    rotation = Rotation.begin(tmp_path, CLASS)
    new = running.new_data_key(CLASS)
    assert rotation.rewrapped(new.key_id, new.wrapped) is None
    for key in (old, new, rewrap(rotation, old)):
        assert running.unwrap(CLASS, key.key_id, key.wrapped) == key


def test_a_keyring_that_has_not_looked_since_reads_what_the_new_key_wrapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = Keyring(tmp_path)
    old = running.new_data_key(CLASS)
    monkeypatch.setattr(wrapping, "READ_SECONDS", 3600.0)
    running.unwrap(CLASS, old.key_id, old.wrapped)
    [key] = rotate(tmp_path, old)
    assert running.unwrap(CLASS, key.key_id, key.wrapped) == key


def test_what_was_wrapped_by_a_destroyed_key_is_lost(tmp_path: Path) -> None:
    running = Keyring(tmp_path)
    [first] = rotate(tmp_path, running.new_data_key(CLASS))
    [second] = rotate(tmp_path, first)
    assert running.unwrap(CLASS, second.key_id, second.wrapped) == second
    with pytest.raises(InvalidTag):
        running.unwrap(CLASS, first.key_id, first.wrapped)
    assert [path.name for path in tmp_path.glob("*.wrap-*")] == ["person.wrap-2.key"]


def test_an_interrupted_rotation_goes_on_with_the_same_key(tmp_path: Path) -> None:
    running = Keyring(tmp_path)
    old = running.new_data_key(CLASS)
    key = rewrap(Rotation.begin(tmp_path, CLASS), old)
    again = Rotation.begin(tmp_path, CLASS)
    assert again.rewrapped(key.key_id, key.wrapped) is None
    again.finish()
    assert Rotation.begin(tmp_path, CLASS).number == again.number + 1


def test_a_rotation_killed_before_its_key_was_written_goes_on(tmp_path: Path) -> None:
    old = Keyring(tmp_path).new_data_key(CLASS)
    number = Rotation.begin(tmp_path, CLASS).number
    (tmp_path / f"{CLASS}.wrap-{number}.key").unlink()
    [key] = rotate(tmp_path, old)
    assert Keyring(tmp_path).unwrap(CLASS, key.key_id, key.wrapped) == key


def test_indexes_and_the_own_key_stay_as_they_were(tmp_path: Path) -> None:
    before = Keyring(tmp_path)
    index, own = before.blind_index(CLASS, "iin", "0"), before.own_key(CLASS)
    rotate(tmp_path, before.new_data_key(CLASS))
    after = Keyring(tmp_path)
    assert (after.blind_index(CLASS, "iin", "0"), after.own_key(CLASS)) == (index, own)


def test_a_foreign_key_is_an_error_and_not_a_guess(tmp_path: Path) -> None:
    key = Keyring(tmp_path).new_data_key(CLASS)
    with pytest.raises(InvalidTag):
        Rotation.begin(tmp_path, CLASS).rewrapped(uuid4(), key.wrapped)
