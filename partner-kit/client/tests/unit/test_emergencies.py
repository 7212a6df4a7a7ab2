"""In an emergency no file holds up its report: what the client does, step by step."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2, status_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip_partner.errors import MediaRefused, Refused
from tartip_partner.flows import Call, Work
from tartip_partner.report_flows import submit_flow
from tartip_partner.retries import Retries
from tartip_partner.upload_flows import BEGINNING_BYTES

RECEIPT = pb.Receipt(number="KZ75-2026-0000001")
FILM = bytes(BEGINNING_BYTES * 2)
SMALL = b"\xff\xd8\xff and no picture"


class Broken(grpc.RpcError):
    """A refusal as gRPC raises it; without `reason`, one of something between."""

    def __init__(self, status: grpc.StatusCode, reason: str = "") -> None:
        super().__init__()
        self._status, self._details = status, status_pb2.Status()
        if reason:
            packed = Packed()
            packed.Pack(error_details_pb2.ErrorInfo(reason=reason))
            self._details.details.append(packed)

    def code(self) -> grpc.StatusCode:
        return self._status

    def trailing_metadata(self) -> Any:
        return [("grpc-status-details-bin", self._details.SerializeToString())]


class Service:
    """Answers as the service does; `refuses` may raise in its place. `calls` are in order."""

    def __init__(self, refuses: Callable[[Call], None] = lambda call: None) -> None:
        self.refuses = refuses
        self.calls: list[Call] = []

    @property
    def methods(self) -> list[str]:
        return [call.method for call in self.calls]

    def submit(self, media: Sequence[Any]) -> Any:
        report = pb.OpenReportRequest(category=pb.CATEGORY_ROAD_ACCIDENT)
        flow = submit_flow(report, media, Retries(), None, None)
        step = next(flow)
        try:
            while True:
                try:
                    result = step.run() if isinstance(step, Work) else self._answer(step)
                except (grpc.RpcError, OSError) as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(result)
        except StopIteration as end:
            return end.value

    def _answer(self, call: Any) -> Any:
        assert isinstance(call, Call)
        self.calls.append(call)
        self.refuses(call)
        if isinstance(call.request, pb.PutMediaRequest):
            arrived = call.request.offset + len(call.request.content)
            is_complete = arrived == call.request.total_bytes
            return pb.PutMediaResponse(received_bytes=arrived, complete=is_complete)
        return pb.SubmitReportResponse(receipt=RECEIPT)


def test_a_report_goes_between_the_beginnings_of_its_files_and_their_rests() -> None:
    service = Service()
    assert service.submit([FILM, FILM + b"another"]) == RECEIPT
    put = "PutMedia"
    assert service.methods == ["OpenReport", put, put, "SubmitReport", put, put]


def test_a_file_of_which_nobody_knows_what_became_is_not_left_behind() -> None:
    """After its report it could not be begun any more."""

    def refuses(call: Call) -> None:
        if call.method == "PutMedia":
            raise Broken(grpc.StatusCode.INTERNAL)

    service = Service(refuses)
    with pytest.raises(Refused, match="INTERNAL"):
        service.submit([FILM])
    assert "SubmitReport" not in service.methods


def test_a_service_that_takes_no_rest_has_all_before_the_report() -> None:
    service = Service()

    def refuses(call: Call) -> None:
        if call.method == "SubmitReport" and service.methods.count("PutMedia") < 2:
            raise Broken(grpc.StatusCode.FAILED_PRECONDITION, "MEDIA_INCOMPLETE")

    service.refuses = refuses
    assert service.submit([FILM]) == RECEIPT
    assert service.methods[2:] == ["SubmitReport", "PutMedia", "SubmitReport"]


def test_where_a_report_is_empty_without_its_file_the_file_is_told() -> None:
    def refuses(call: Call) -> None:
        if call.method == "PutMedia":
            raise Broken(grpc.StatusCode.INVALID_ARGUMENT, "MEDIA_NOT_A_PICTURE")
        if call.method == "SubmitReport":
            raise Broken(grpc.StatusCode.FAILED_PRECONDITION, "REPORT_EMPTY")

    with pytest.raises(Refused, match="MEDIA_NOT_A_PICTURE") as caught:
        Service(refuses).submit([SMALL])
    assert "REPORT_EMPTY" in str(caught.value.__cause__)


def test_a_file_that_cannot_be_read_any_more_holds_up_no_other(tmp_path: Path) -> None:
    gone = tmp_path / "film"
    gone.write_bytes(FILM)

    def refuses(call: Call) -> None:
        if call.method == "SubmitReport":
            gone.unlink()

    service = Service(refuses)
    with pytest.raises(MediaRefused) as caught:
        service.submit([gone, FILM + b"greater"])
    assert caught.value.receipt == RECEIPT and "KZ75-2026-0000001" in str(caught.value)
    assert set(caught.value.reasons) == {0}
    assert isinstance(caught.value.reasons[0], FileNotFoundError)
    last = service.calls[-1].request
    assert isinstance(last, pb.PutMediaRequest)
    assert last.offset + len(last.content) == last.total_bytes
