"""The bytes that an officer signs: all that a decision is about, as RFC 8785 JSON."""

from datetime import UTC, datetime
from typing import Any

import rfc8785

from violations.model import Device, Place, Readings, Verdict, Violation

CANONICAL_TYPE = "tartip-violation-decision-v1"


def canonical_decision(
    violation: Violation, verdict: Verdict, *, officer: str, reason: str
) -> bytes:
    """RFC 8785 JSON of all that the decision is about, as the violation is now."""
    return rfc8785.dumps(
        _warnings(violation)
        | {
            "type": CANONICAL_TYPE,
            "violation_id": str(violation.violation_id),
            "version": violation.version,
            "verdict": verdict.value.lower(),
            "reason": reason,
            "officer": officer,
            "source": violation.source.value.lower(),
            "camera_id": str(violation.camera_id or ""),
            "report_id": str(violation.report_id or ""),
            "region": violation.place.region,
            "place": _place(violation.place),
            "occurred_at": _text(violation.occurred_at),
            "plate": violation.plate.text,
            "offence": {
                "code": violation.offence.code,
                "article": violation.offence.article,
                "rules_version": violation.offence.rules_version,
                "rules_sha256": violation.offence.rules_sha256,
            },
            "over_kmh": "" if violation.over_kmh is None else str(violation.over_kmh),
            "readings": _readings(violation.readings),
            "device": _device(violation.device),
            "evidence_sha256": [frame.sha256 for frame in violation.frames],
            "original_sha256": list(violation.evidence_sha256),
            "models_fingerprint": violation.models_fingerprint,
        }
    )


def _warnings(violation: Violation) -> dict[str, Any]:
    """What the officer was warned of, where there is anything."""
    caution = {"caution": violation.caution.value} if violation.caution else {}
    conflicting = [str(other) for other in violation.conflicting]
    return caution | ({"conflicting_violation_ids": conflicting} if conflicting else {})


def _place(place: Place) -> dict[str, Any]:
    return {
        "latitude": place.latitude,
        "longitude": place.longitude,
        "address": place.address,
    }


def _readings(readings: Readings | None) -> dict[str, Any]:
    if readings is None:
        return {}
    return {
        "device_serial": readings.device_serial,
        "device_time": _text(readings.device_time),
        "counter": str(readings.counter),
        "frame_sha256": readings.frame_sha256,
        "speed_kmh": readings.speed_kmh,
        "speed_limit_kmh": readings.speed_limit_kmh,
        "signal_phase": readings.signal_phase.lower(),
        "signal_age_seconds": readings.signal_age_seconds,
        "past_stop_line": readings.past_stop_line,
    }


def _device(device: Device | None) -> dict[str, Any]:
    if device is None:
        return {}
    return {
        "name": device.name,
        "serial": device.serial,
        "certificate_number": device.certificate_number,
        "verification_number": device.verification_number,
        "verification_from": _text(device.verification_from),
        "verification_until": _text(device.verification_until),
        "kind": device.kind.lower() or None,
        "tolerance_kmh": device.tolerance_kmh,
    }


def _text(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
