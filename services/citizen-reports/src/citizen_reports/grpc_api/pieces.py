"""Reads a piece of an upload from its request."""

from collections.abc import Callable

from chassis.clock import new_id, parse_new_id
from tartip.reports.v1 import reports_pb2

from citizen_reports.model.media import Announced, Piece, check_piece
from citizen_reports.model.media_kinds import type_of


def piece_reader(request: reports_pb2.PutMediaRequest) -> Callable[[], Piece]:
    """Check an uploaded piece, and return a function that reads it; each call makes a copy of its
    bytes. Raises BadRequest."""
    media_id = parse_new_id(request.media_id)
    content_type = type_of(request.content_type)
    announced = Announced(request.total_bytes, request.sha256.lower(), content_type)

    def read() -> Piece:
        return Piece(media_id or new_id(), request.offset, request.content, announced)

    check_piece(read(), media_id_ok=media_id is not None)
    return read
