"""What is sealed opens in its own place alone; look-ups need no plain text."""

import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from vault.keyring import Keyring


def test_a_sealed_value_does_not_open_in_another_row(tmp_path: Path) -> None:
    key = Keyring(tmp_path).new_data_key("person")
    sealed = key.seal("Алия", "owners.name:1")
    assert key.open_text(sealed, "owners.name:1") == "Алия"
    with pytest.raises(InvalidTag):
        key.open(sealed, "owners.name:2")


def test_a_data_key_opens_under_its_own_class_alone(tmp_path: Path) -> None:
    ring = Keyring(tmp_path)
    key = ring.new_data_key("person")
    assert Keyring(tmp_path).unwrap("person", key.key_id, key.wrapped).plain == key.plain
    with pytest.raises(InvalidTag):
        ring.unwrap("evidence", key.key_id, key.wrapped)


def test_a_blind_index_is_stable_and_differs_by_field(tmp_path: Path) -> None:
    ring = Keyring(tmp_path)
    index = ring.blind_index("person", "iin", "900101300017")
    assert Keyring(tmp_path).blind_index("person", "iin", "900101300017") == index
    assert ring.blind_index("person", "phone", "900101300017") != index
    assert ring.blind_index("person", "iin", "900101300018") != index


def test_key_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    Keyring(tmp_path / "keys").new_data_key("person")
    (file,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_bytes()) == 32
