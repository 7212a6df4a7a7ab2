"""Alembic migrations: each service has a history and a schema, migrated by the schema's owner role.

A service's `migrations/env.py` only calls `run_env`. Runs are serialised by an advisory lock. A
statement of a migration waits at most 5 s for a lock, since the service's statements queue behind
the waiting one.
"""

import asyncio
import logging
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from chassis.tables import session_settings
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from host.log_ins import share_grants

log = logging.getLogger(__name__)


def migrate(folder: Path, *, owner_url: str, schema: str) -> None:
    """Upgrade `schema` to the newest version in the migration history in `folder`.

    If the schema's version is not in the history, a later release has migrated the schema, and it
    is left as it is. This release can still use the schema: migrations remove nothing that the
    release before needs. So a service can be rolled back.
    """
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes.update(owner_url=owner_url, schema=schema)
    command.upgrade(config, "head")


def run_env() -> None:
    """Run the pending migrations in the schema that `migrate` was called for.

    Alembic calls this function through a service's `migrations/env.py`.
    """
    asyncio.run(_run_env())


async def _run_env() -> None:
    url, schema = context.config.attributes["owner_url"], context.config.attributes["schema"]
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1),
        poolclass=pool.NullPool,
        connect_args={"server_settings": session_settings(f"migrate {schema}")},
    )
    async with engine.connect() as connection:
        await connection.execute(text("SET lock_timeout = '5s'"))
        await connection.execute(text("SET statement_timeout = '60s'"))
        await connection.execute(text(f'SET search_path = "{schema}"'))
        await connection.execute(
            text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"),
            {"name": f"migrate:{schema}"},
        )
        await connection.commit()
        await connection.run_sync(_apply, schema)
        await connection.commit()
    await engine.dispose()


def _apply(connection: Connection, schema: str) -> None:
    context.configure(connection=connection, version_table_schema=schema)
    if _is_of_later_release():
        log.warning("the schema %s is of a later release; it is left as it is", schema)
        return
    with context.begin_transaction():
        context.run_migrations()
        share_grants(Operations(MigrationContext.configure(connection)), schema)


def _is_of_later_release() -> bool:
    known = {each.revision for each in context.script.walk_revisions()}
    return not known.issuperset(context.get_context().get_current_heads())


def runtime_role() -> str:
    """Return the role that serves calls in this schema, to which migrations grant privileges.

    After the migrations, the role for background work is granted these privileges too.
    """
    return f"{schema_name()}_runtime"


def schema_name() -> str:
    """Return the name of the schema that is being migrated."""
    return str(context.config.attributes["schema"])
