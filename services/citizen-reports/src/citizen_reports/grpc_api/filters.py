"""Reads the filters of the list of a partner's reports from a request."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from chassis.clock import from_timestamp
from chassis.refusals import Checks, checks
from google.protobuf.timestamp_pb2 import Timestamp
from tartip.reports.v1 import reports_pb2

from citizen_reports.events import CATEGORIES, STATUSES
from citizen_reports.model.categories import Category
from citizen_reports.model.statuses import Status
from citizen_reports.storage.app_views import OwnFilter

CATEGORY_OF: Mapping[int, Category] = {value: category for category, value in CATEGORIES.items()}
STATUS_OF: Mapping[int, Status] = {value: status for status, value in STATUSES.items()}
E = TypeVar("E")


def filter_from_proto(request: reports_pb2.ListReportsRequest) -> OwnFilter:
    """Return the filters of a list. Raises BadRequest for enum values that the contract does not
    have, and for a period that ends before it begins."""
    with checks() as check:
        wanted = OwnFilter(
            _known(check, "statuses", request.statuses, STATUS_OF, code="STATUS_UNKNOWN"),
            _known(check, "categories", request.categories, CATEGORY_OF, code="CATEGORY_UNKNOWN"),
            _moment_in(check, "opened_from", request),
            _moment_in(check, "opened_until", request),
            request.needs_reply,
        )
        if wanted.opened_from and wanted.opened_until:
            check.that(
                wanted.opened_from < wanted.opened_until,
                "opened_until",
                "after opened_from",
                code="PERIOD_WRONG",
            )
    return wanted


def _known(
    check: Checks, field: str, given: Iterable[int], known: Mapping[int, E], *, code: str
) -> tuple[E, ...]:
    """Convert numbers of the contract to values of an enum; `check` gets unknown numbers."""
    numbers = set(given)
    check.that(numbers <= known.keys(), field, "values of the contract but 0", code=code)
    return tuple(known[number] for number in sorted(numbers & known.keys()))


def _moment_in(
    check: Checks, field: str, request: reports_pb2.ListReportsRequest
) -> datetime | None:
    if not request.HasField(field):  # type: ignore[arg-type]
        return None
    moment = moment_or_none(getattr(request, field))
    check.that(moment is not None, field, "a moment of the years 1 to 9999", code="PERIOD_WRONG")
    return moment


def moment_or_none(stamp: Timestamp) -> datetime | None:
    """Return the timestamp in UTC, None for a year outside 1 to 9999."""
    try:
        return from_timestamp(stamp)
    except (ValueError, OverflowError):
        return None
