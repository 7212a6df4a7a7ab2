"""Creates an empty key folder for each service, and a secret seed for each NATS user.

A seed is replaced by `tartip keys rotate --broker` alone. A service creates the keys in its folder
itself; if they were lost, all data encrypted with them would be lost. In production, a key service
would put the key files into the same folders.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

import nkeys

from tartip_cli.data_dir import write_private
from tartip_cli.failures import broken_file
from tartip_cli.topology import SERVICES, Service

_SEED_BYTES = 32


@dataclass(frozen=True)
class Keys:
    """The secret keys of the mesh that runs from one data folder."""

    folder: Path

    def of(self, service: Service) -> Path:
        """The folder with the keys of one service, to be passed to it as `TARTIP_KEYS_DIR`."""
        return self.folder / service.name

    def nats_seed(self, user: str) -> Path:
        return self.folder / "nats" / f"{user}.nk"

    def provision(self, nats_users: tuple[str, ...]) -> None:
        for service in SERVICES:
            # A service creates the keys of its classes itself when it needs them; only it knows
            # the classes.
            self.of(service).mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / "nats").mkdir(mode=0o700, exist_ok=True)
        for user in nats_users:
            seed = self.nats_seed(user)
            if not seed.exists():
                write_private(seed, _user_seed())

    def nats_public(self, user: str) -> str:
        """The public key of a NATS user, derived from the user's seed. Raises Failure if the file
        of the seed is damaged."""
        return _public(self.nats_seed(user))

    def nats_publics(self, user: str) -> list[str]:
        """The public keys that NATS accepts of a user: during a rotation, the next one as well."""
        seeds = [self.nats_seed(user), self.next_nats_seed(user)]
        return [_public(seed) for seed in seeds if seed.exists()]

    def next_nats_seed(self, user: str) -> Path:
        """The file of the seed that follows, which is there during a rotation alone."""
        return self.nats_seed(user).with_suffix(".next")

    def make_next_seeds(self, users: tuple[str, ...]) -> None:
        """Create the seeds that follow, unless a rotation that was interrupted has gone further."""
        if not self._adopting.exists():
            for user in users:
                if not self.next_nats_seed(user).exists():
                    write_private(self.next_nats_seed(user), _user_seed())

    def adopt_next_seeds(self, users: tuple[str, ...]) -> None:
        """Replace each user's seed by the one that follows. Can be repeated."""
        write_private(self._adopting, b"")
        for user in users:
            if self.next_nats_seed(user).exists():
                self.next_nats_seed(user).rename(self.nats_seed(user))

    def end_rotation(self) -> None:
        """Let the next rotation begin anew, once NATS no longer accepts the former keys."""
        self._adopting.unlink(missing_ok=True)

    @property
    def _adopting(self) -> Path:
        """A file that is there from the first replaced seed to the end of a rotation."""
        return self.folder / "nats" / "adopting"


def _public(path: Path) -> str:
    try:
        public: bytes = nkeys.from_seed(bytearray(path.read_bytes())).public_key
    except (nkeys.NkeysError, ValueError) as error:
        raise broken_file(path, "it is not the seed of a NATS user") from error
    return public.decode()


def _user_seed() -> bytes:
    seed: bytes = nkeys.encode_seed(secrets.token_bytes(_SEED_BYTES), nkeys.PREFIX_BYTE_USER)
    return seed
