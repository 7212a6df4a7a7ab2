"""The JSON that `tartip ingest` prints, one object per result; other programs rely on its fields.

A result is {"file", "plates": [{"text", "confidence", "box": [x, y, w, h], …}], "objects":
[{"label", "score", "box", "track"}], "faces": [{"box", "match", "verdict"}], "events": [{"id",
"subject", "what", "rule", "track", "box", "confidence", "at"}], "at", …}. Boxes are in pixels of
the displayed picture. `match` is {"candidate_id"} if the face is similar to one on a watch-list
("verdict" is then "candidate"), otherwise null.

The last object of a film also has "account": {"offered_seconds", "looked_at_seconds",
"left_out_seconds": {reason: seconds}, "discontinuities", "notes", "started_at", "started_at_by"}.

A refused file is {"file", "refused", "message", "fields"}. If a file cannot be read, "refused" is
NO_FILE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tartip.inference.v1 import inference_pb2 as inference

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

VERDICTS = {
    inference.FACE_VERDICT_NO_MATCH: "no match",
    inference.FACE_VERDICT_UNKNOWN: "unknown",
    inference.FACE_VERDICT_CANDIDATE: "candidate",
}


def as_json_of(result: inference.FrameResult) -> dict[str, Any]:
    return {
        "plates": [_plate(plate) for plate in result.plates],
        "objects": [
            {
                "label": found.label,
                "score": round(found.score, 4),
                "box": box_of(found.box),
                "track": found.track,
            }
            for found in result.objects
        ],
        "faces": [_face(face) for face in result.faces],
        "events": [_event(event) for event in result.events],
        "at": _moment(result.captured_at),
        "frame": result.frame_id,
        "evidence": result.evidence_sha256,
        "notes": list(result.notes),
    }


def box_of(box: inference.Box) -> list[float]:
    return [round(side, 1) for side in (box.x, box.y, box.width, box.height)]


def _plate(plate: inference.Plate) -> dict[str, Any]:
    return {
        "text": plate.text,
        "confidence": round(plate.confidence, 4),
        "box": box_of(plate.box),
        "country": plate.country,
        "type": plate.plate_type,
        "track": plate.track,
    }


def _face(face: inference.SeenFace) -> dict[str, Any]:
    candidate = face.verdict == inference.FACE_VERDICT_CANDIDATE
    return {
        "box": box_of(face.box),
        "match": {"candidate_id": face.candidate_id} if candidate else None,
        "verdict": VERDICTS.get(face.verdict, ""),
    }


def _event(event: inference.EmittedEvent) -> dict[str, Any]:
    return {
        "id": event.event_id,
        "subject": event.subject,
        "what": event.what,
        "rule": event.rule,
        "track": event.track,
        "box": box_of(event.box) if event.HasField("box") else None,
        "confidence": round(event.confidence, 4),
        "at": _moment(event.at) if event.HasField("at") else None,
    }


def _moment(stamp: Timestamp) -> str:
    return stamp.ToJsonString()
