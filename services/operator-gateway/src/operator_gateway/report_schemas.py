"""Parts of a report in answers of the desk over REST."""

from pydantic import Field

from operator_gateway.schemas import Answer, Moment


class Media(Answer):
    media_id: str
    content_type: str
    size_bytes: int
    evidence_sha256: str
    shown_sha256: str
    taken_at: Moment = Field(description="As the phone wrote into the file; it may be wrong.")
    taken_latitude: float | None
    taken_longitude: float | None
    blurred_sha256: str = Field(description="Without faces and plates; empty until it is made.")
    first_frame_sha256: str = Field(description="Of a film; it is there before the film.")


class UrgencyReason(Answer):
    danger: str = Field(examples=["weapon"])
    words: str = Field(description="As the reporter wrote them, in small letters.")


class ProposedPlate(Answer):
    media_id: str
    text: str
    confidence: float = Field(description="Of the weakest character, 0 to 1.")


class ReportCamera(Answer):
    camera_id: str
    name: str
    distance_metres: float
    is_certain: bool = Field(description="Its field of view shows that it looked there.")
    held_at: Moment = Field(description="Since when its evidence is held; null before.")
    held_from: Moment
    held_until: Moment
    frames: int = Field(description="Frames with evidence in that time, as last looked.")


class WaitingAnswer(Answer):
    """An answer that its operator can still undo."""

    request_id: str
    operator: str
    outcome: str
    leaves_at: Moment
    answer: str = Field(description="Empty in lists.")


class RelatedReport(Answer):
    report_id: str
    number: str
    relation: str = Field(description='"parent", "merged" or "possible".')
    alike_percent: int = Field(description="How many of a hundred words of both texts are alike.")
