"""A service's three log-ins to its database schema, each with a connection pool of its own.

Each log-in is a database role with rights of its own (`host.log_ins`), so that no log-in can hide
what another one did. The log-in `calls` serves RPCs. The log-in `work` publishes events, handles
events of other services, and runs scheduled work and background loops. The log-in `seal` adds
waiting entries to the sealed audit log.
"""

from dataclasses import dataclass

from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.settings import PREFIX, Settings
from vault.keyring import Keyring

CALLS_POOL, WORK_POOL = 8, 8
# For the sealer's transaction and the heartbeat of its lease.
SEAL_POOL = 2


@dataclass(frozen=True)
class Databases:
    calls: Database
    work: Database
    seal: Database

    @classmethod
    def connect(cls, settings: Settings, *, service: str) -> "Databases":
        """Return the three databases with the URLs in `settings`; they connect when first used.

        Exits with a message that names the variables of missing URLs.
        """
        urls = {
            "database_url": settings.database_url,
            "work_database_url": settings.work_database_url,
            "seal_database_url": settings.seal_database_url,
        }
        if missing := [PREFIX + name.upper() for name, url in urls.items() if not url]:
            raise SystemExit(f"{', '.join(missing)}: each log-in of {service} needs its URL")
        keyring = Keyring(settings.keys_dir, new_id=new_id)
        pools = zip(urls.values(), (CALLS_POOL, WORK_POOL, SEAL_POOL), strict=True)
        return cls(
            *(
                Database(url, service=service, keyring=keyring, clock=system_clock, pool_size=size)
                for url, size in pools
            )
        )

    async def close(self) -> None:
        """Close the three pools."""
        for database in (self.calls, self.work, self.seal):
            await database.close()
