"""The camera records that the RPC CheckDecisions compares with the audit log."""

from typing import Any

from audit_log.decision_checks import RecordSource, RecordTable
from sqlalchemy import Row, select

from camera_registry.model.camera import CAMERA
from camera_registry.storage.tables import cameras


def _ref(row: Row[Any]) -> str:
    return f"camera:{row.camera_id}"


SOURCES: tuple[RecordSource, ...] = (
    RecordTable(CAMERA, select(cameras), (cameras.c.camera_id,), _ref),
)
