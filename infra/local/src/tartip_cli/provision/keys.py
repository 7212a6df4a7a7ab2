"""Creates an empty key folder for each service, and a secret seed for each NATS user.

Only `tartip keys rotate --broker` replaces a seed. Each service itself creates the keys in its
folder. If the keys are lost, all data encrypted with them are lost. In production, a key service
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
    """The secret keys of one mesh, which are files in `folder`.

    A seed is the secret key of a NATS user. To replace all seeds (a rotation), call
    `make_next_seeds`, `adopt_next_seeds` and `end_rotation` in this order, as `rotate_broker_keys`
    does. After an interruption, call all three again.
    """

    folder: Path

    def of(self, service: Service) -> Path:
        """Return the folder with the keys of one service. The service reads this path from
        `TARTIP_KEYS_DIR`."""
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
        """Return the public key of a NATS user, derived from the user's seed. Raises Failure if the
        file of the seed is damaged."""
        return _public(self.nats_seed(user))

    def nats_publics(self, user: str) -> list[str]:
        """Return the public keys that NATS accepts for a user. These are the key of the current
        seed and, if there is a next seed, the key of the next one. Raises Failure if the file of a
        seed is damaged."""
        seeds = [self.nats_seed(user), self.next_nats_seed(user)]
        return [_public(seed) for seed in seeds if seed.exists()]

    def next_nats_seed(self, user: str) -> Path:
        """Return the path of the seed that will replace the user's current one. The file exists
        from `make_next_seeds` until `adopt_next_seeds`."""
        return self.nats_seed(user).with_suffix(".next")

    def make_next_seeds(self, users: tuple[str, ...]) -> None:
        """Create the next seed of each user that has none. If an interrupted rotation has already
        begun to replace seeds, nothing is created, since that rotation must end first."""
        if not self._adopting.exists():
            for user in users:
                if not self.next_nats_seed(user).exists():
                    write_private(self.next_nats_seed(user), _user_seed())

    def adopt_next_seeds(self, users: tuple[str, ...]) -> None:
        """Replace the current seed of each user by the next seed. Users without a next seed keep
        their current one."""
        write_private(self._adopting, b"")
        for user in users:
            if self.next_nats_seed(user).exists():
                self.next_nats_seed(user).rename(self.nats_seed(user))

    def end_rotation(self) -> None:
        """Record that the rotation is complete, so that `make_next_seeds` creates seeds again. No
        seed is changed or deleted. Call this method when NATS accepts only the new keys."""
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
