"""Uploads that break: they go on from what has arrived."""

import asyncio
import hashlib
import secrets

import grpc

from tartip_partner_contract.refusals import Refusal
from tartip_partner_contract.reports import PIECE_BYTES_MAX
from tartip_partner_contract.scenario import Scenario
from tartip_partner_contract.stage import Stage, draft
from tartip_partner_contract.tartip import PlayedTartip, ReceivedCall
from tartip_partner_contract.wrong import Wrong

_CONTENT_BYTES = 5 * PIECE_BYTES_MAX + 12_345
# The answer is lost once so much has arrived, and a piece is lost once so much more has.
_LOST_ANSWER_AT, _LOST_PIECE_AT = 2 * PIECE_BYTES_MAX, 4 * PIECE_BYTES_MAX
_AFTER_CUT_SECONDS = 0.1


class _Cuts:
    """Cuts an upload twice, and notes what had arrived at each cut."""

    def __init__(self, tartip: PlayedTartip) -> None:
        self._tartip = tartip
        # For each cut: how many pieces had been sent, and from where the next one may begin.
        self.noted: list[tuple[int, set[int]]] = []

    @property
    def received_bytes(self) -> int:
        files = (
            media for held in self._tartip.book.reports.values() for media in held.media.values()
        )
        return max((len(media.content) for media in files), default=0)

    async def before(self, call: ReceivedCall) -> None:
        if call.method == "PutMedia" and self.received_bytes >= _LOST_PIECE_AT and self._is(1):
            await self._cut({self.received_bytes})
            raise Refusal(grpc.StatusCode.UNAVAILABLE)

    async def after(self, call: ReceivedCall) -> None:
        if call.method == "PutMedia" and self.received_bytes >= _LOST_ANSWER_AT and self._is(0):
            await self._cut({call.request.offset, self.received_bytes})

    def _is(self, cuts: int) -> bool:
        return len(self.noted) == cuts

    async def _cut(self, may_begin: set[int]) -> None:
        self.noted.append((len(self._tartip.calls_of("PutMedia")), may_begin))
        self._tartip.relay.cut()
        await asyncio.sleep(_AFTER_CUT_SECONDS)


async def cut_upload(stage: Stage) -> None:
    await stage.configure()
    content = b"\xff\xd8\xff\xe0" + secrets.token_bytes(_CONTENT_BYTES)
    cuts = _Cuts(stage.tartip)
    stage.tartip.before, stage.tartip.after = cuts.before, cuts.after
    held = await stage.handed_in(draft(), content)
    pieces = stage.tartip.calls_of("PutMedia")
    if not pieces:
        raise Wrong("the media were not uploaded")
    if len({piece.request.media_id for piece in pieces}) != 1:
        raise Wrong("after a break the file was sent under another media_id")
    for sent, may_begin in cuts.noted:
        begun = pieces[sent].request.offset if len(pieces) > sent else None
        if begun not in may_begin:
            raise Wrong(
                f"after a break the upload went on at byte {begun}, although {max(may_begin)} bytes"
                " had arrived"
            )
    (media,) = held.media.values()
    if hashlib.sha256(media.content).digest() != hashlib.sha256(content).digest():
        raise Wrong("the file did not arrive as it was given")


SCENARIOS = (
    Scenario(
        "cut-upload",
        "The connection breaks twice in the middle of a file of 2.5 MB.",
        "Send the piece again after a break, and go on at received_bytes of its answer.",
        cut_upload,
    ),
)
