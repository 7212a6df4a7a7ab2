"""Converts the cameras of a report, and plates proposed for it, to protobuf."""

from chassis.clock import to_timestamp
from tartip.reports.v1 import reports_pb2 as pb

from citizen_reports.model.cameras import ReportCamera, held_window
from citizen_reports.model.proposed_plates import ProposedPlate
from citizen_reports.model.report import Report


def cameras_to_proto(report: Report, cameras: tuple[ReportCamera, ...]) -> list[pb.ReportCamera]:
    """Return the cameras that are known; none once the report's key was destroyed."""
    window = held_window(report.occurred_at)
    return [
        pb.ReportCamera(
            camera_id=str(camera.sighting.camera_id),
            name=camera.sighting.name,
            distance_metres=camera.sighting.distance_metres,
            is_certain=camera.sighting.is_certain,
            held_at=to_timestamp(camera.held_at),
            held_from=to_timestamp(window.start),
            held_until=to_timestamp(window.end),
            frames=camera.frames,
        )
        for camera in cameras
        if camera.sighting is not None
    ]


def plate_to_proto(plate: ProposedPlate) -> pb.ProposedPlate:
    return pb.ProposedPlate(
        media_id=str(plate.media_id), text=plate.text, confidence=plate.confidence
    )
