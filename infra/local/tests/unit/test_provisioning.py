"""What a mesh finds at its start is made once, for its owner alone; what is broken is named."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tartip_cli.data_dir import DataDir, stored_secret, write_private
from tartip_cli.failures import Exit, Failure
from tartip_cli.provision.certificates import Authority, Certificates
from tartip_cli.provision.keys import Keys
from tartip_cli.provision.streams import read_topology
from tartip_cli.settings import find_checkout
from tartip_cli.topology import FINES, SERVICES

USERS = ("provisioner", "fines")


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    home = DataDir(tmp_path / "home")
    home.prepare()
    Keys(home.keys).provision(USERS)
    Certificates(home.tls).renew()
    stored_secret(home.keys / "a-secret")
    files = [path for path in home.path.rglob("*") if path.is_file()]
    assert {mode(path) for path in files} == {0o600} and len(files) > 20
    folders = [home.path, *(path for path in home.path.rglob("*") if path.is_dir())]
    assert {mode(path) for path in folders} == {0o700}


def test_each_service_has_a_folder_for_its_own_keys(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.provision(USERS)
    assert {path.name for path in tmp_path.iterdir()} == {"nats", *(s.name for s in SERVICES)}


def test_keys_made_once_are_kept_and_a_new_user_gets_one_of_its_own(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.provision(USERS)
    (keys.of(FINES) / "ledger.key").write_bytes(b"what the service made itself")
    before = contents(tmp_path)
    keys.provision((*USERS, "violations"))
    after = contents(tmp_path)
    assert {path: after[path] for path in before} == before
    assert after.keys() - before.keys() == {keys.nats_seed("violations")}
    assert len({keys.nats_public(user) for user in (*USERS, "violations")}) == 3


def test_a_folder_that_is_there_is_kept_and_made_private(tmp_path: Path) -> None:
    home = DataDir(tmp_path / "home")
    (home.path / "evidence").mkdir(parents=True)
    home.path.chmod(0o755)
    (home.path / "evidence" / "frame").write_bytes(b"sealed")
    for _ in range(2):
        home.prepare()
    assert (home.evidence / "frame").read_bytes() == b"sealed"
    assert mode(home.path) == 0o700 and not (home.run / "probe").exists()


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")
    with pytest.raises((Failure, OSError)) as refused:
        DataDir(tmp_path / "home").prepare()
    assert str(tmp_path / "home") in str(refused.value)


def test_the_name_of_a_folder_stays_the_same_wherever_it_is_moved(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    name = DataDir(tmp_path / "a").identity()
    (tmp_path / "a").rename(tmp_path / "b")
    assert DataDir(tmp_path / "b").identity() == name and len(name) == 16


def test_a_writer_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, b"old")
    with pytest.raises(TypeError):
        write_private(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("content", [b"", b"SUA no seed"])
def test_a_broken_seed_is_named(tmp_path: Path, content: bytes) -> None:
    keys = Keys(tmp_path)
    keys.provision(USERS)
    keys.nats_seed("fines").write_bytes(content)
    with pytest.raises(Failure, match=r"nats/fines\.nk is broken") as refused:
        keys.nats_public("fines")
    assert refused.value.code is Exit.FINDINGS


def test_an_empty_secret_is_named_and_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "postgres.password").touch()
    with pytest.raises(Failure, match=r"postgres\.password is broken"):
        stored_secret(tmp_path / "postgres.password")


@pytest.mark.parametrize("broken", ["partner.key", "partner.pem"])
def test_a_broken_authority_is_named_and_never_replaced(tmp_path: Path, broken: str) -> None:
    """A new one in its place would make strangers of all whom the old one certified."""
    certificates = Certificates(tmp_path)
    certificates.renew()
    path = certificates.client_authorities / broken
    path.write_bytes(b"-----BEGIN NOTHING-----")
    with pytest.raises(Failure, match=rf"{broken} is broken"):
        certificates.renew()
    assert path.read_bytes() == b"-----BEGIN NOTHING-----"


def test_a_key_of_another_authority_is_named(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    certificates.renew()
    folder = certificates.client_authorities
    (folder / "partner.key").write_bytes((folder / "device.key").read_bytes())
    with pytest.raises(Failure, match=r"partner\.key is broken: it is not the key of"):
        certificates.renew()


@pytest.mark.parametrize("left", ["partner.key", "partner.pem"])
def test_a_half_made_authority_is_made_anew(tmp_path: Path, left: str) -> None:
    """As a kill in the middle of the first start leaves it: nobody was certified by it yet."""
    folder = tmp_path / "authorities"
    folder.mkdir()
    Authority.open(folder, "partner")
    (folder / ({"partner.key", "partner.pem"} - {left}).pop()).unlink()
    Authority.open(folder, "partner")
    Certificates(tmp_path).renew()


def test_every_user_of_the_table_may_ask_only_for_what_it_uses() -> None:
    topology = read_topology(find_checkout() / "infra" / "nats" / "streams.yaml")
    for user in topology.users:
        permissions = user.permissions()
        mentioned = {*user.publishes, *user.consumes, *user.follows}
        for subject in permissions.publish:
            if subject.startswith("$JS.API."):
                assert mentioned & set(subject.split(".")), (user.name, subject)
        assert permissions.subscribe[0] == f"_INBOX_{user.name}.>"


def test_a_misspelt_right_in_the_table_is_named(tmp_path: Path) -> None:
    table = (find_checkout() / "infra" / "nats" / "streams.yaml").read_text()
    path = tmp_path / "streams.yaml"
    path.write_text(table.replace("subscribes:", "subscribe:", 1))
    with pytest.raises(ValueError, match=r"unknown fields \['subscribe'\]"):
        read_topology(path)
