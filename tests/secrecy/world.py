"""Plants what a walk looks for, in the way of apps and operators, and waits until it is there."""

from __future__ import annotations

import asyncio
import hashlib
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from citizen_reports.examination.pictures import clean_picture
from citizen_reports.examination.recordings import clean_recording
from tartip.reports.v1 import personnel_pb2 as staff
from tartip.reports.v1 import reports_pb2 as pb

from .asking import Asking
from .callers import EVERYWHERE, SECURITY, Caller
from .planted import ASTANA, Officer, Planted, Planting, piece_of

APPS, DESK = "tartip.reports.v1.CitizenReports", "tartip.reports.v1.ReportDesk"
PERSONNEL, COMPLAINTS = "tartip.reports.v1.Personnel", "tartip.reports.v1.Complaints"
ADMINISTRATOR = Caller(
    "administrator", "operator", "personnel-1", ("personnel_administrator",), EVERYWHERE
)
DISPATCHER = Caller("planter", "operator", "walk-planter", ("dispatcher",), EVERYWHERE)
READY_SECONDS = 120.0


@dataclass(frozen=True)
class World:
    officers: Mapping[str, Officer]
    reports: tuple[Planted, ...]
    planting: Planting

    @property
    def unnamed(self) -> tuple[Officer, ...]:
        """Officers whom no report names."""
        return tuple(self.officers[end] for end in ("outside", "chief", "junior"))

    def named(self, *names: str) -> tuple[Planted, ...]:
        return tuple(one for one in self.reports if one.name in names)


async def planted(asking: Asking) -> World:
    """Plant officers and reports; return them when their files are in the evidence store."""
    planting = Planting()
    officers = planting.officers()
    for unit in planting.units():
        await asking.answer(ADMINISTRATOR, f"{PERSONNEL}/PutUnit", unit)
    for officer in officers.values():
        await asking.answer(ADMINISTRATOR, f"{PERSONNEL}/PutOfficer", officer.request())
        for posting in officer.postings():
            await asking.answer(ADMINISTRATOR, f"{PERSONNEL}/AddPosting", posting)
    reports = [await handed_in(asking, one) for one in _reports(planting, officers)]
    beside = next(one for one in reports if one.name == "complaint settled")
    neighbour = planting.report(
        "complaint beside another",
        beside.kind,
        officer="unknown",
        beside=beside,
        standing={officers["local"].log_in: "local"},
    )
    reports.append(await handed_in(asking, neighbour))
    await _settle(asking, officers, beside)
    for name, kind in (("raised to a complaint", SEALED), ("raised to violence", VIOLENCE)):
        await _raise(asking, next(one for one in reports if one.name == name), kind)
    outside = _as(officers["outside"])
    shown = [await _shown(asking, one, outside) for one in reports]
    return World(officers, tuple(shown), planting)


SEALED, VIOLENCE = "complaint_about_officer", "domestic_violence"


def _reports(planting: Planting, officers: Mapping[str, Officer]) -> list[Planted]:
    at = {end: officer.log_in for end, officer in officers.items()}
    subject = officers["subject"]
    candidates = {at[end]: "candidate" for end in ("by-name", "by-badge", "by-login")}
    names = (
        f"{officers['by-name'].family}ым, badge {officers['by-badge'].badge},"
        f" called {officers['by-login'].log_in}"
    )
    of_him = {at[end]: "his_unit" for end in ("colleague", "former")}
    of_him |= {at[end]: "his_chain" for end in ("chief", "junior")}
    settled = {
        **of_him,
        **candidates,
        at["subject"]: "officer",
        at["long-gone"]: "left_before",
        at["local"]: "local",
    }
    return [
        planting.report("traffic violation", "traffic_violation"),
        planting.report("accident", "road_accident", filmed=True),
        planting.report("incident", "incident"),
        planting.report("violence", VIOLENCE),
        planting.report("child", "incident_with_child", filmed=True),
        planting.report("traffic in Astana", "traffic_violation", region=ASTANA),
        planting.report("violence in Astana", VIOLENCE, region=ASTANA),
        planting.report("raised to violence", "other"),
        planting.report(
            "raised to a complaint",
            "other",
            officer=subject.log_in,
            standing={at["subject"]: "officer"},
        ),
        planting.report(
            "complaint that means officers",
            SEALED,
            officer=names,
            standing={**candidates, at["local"]: "local"},
        ),
        planting.report(
            "complaint in Astana", SEALED, region=ASTANA, officer="unknown", filmed=True
        ),
        planting.report(
            "complaint settled",
            SEALED,
            officer=f"{subject.family} {subject.badge}, or {names}",
            stage="after",
            standing=settled,
        ),
    ]


def _as(officer: Officer) -> Caller:
    return Caller(officer.log_in, "operator", officer.log_in, (SECURITY,), EVERYWHERE)


async def handed_in(asking: Asking, report: Planted) -> Planted:
    app = Caller(report.partner, "partner")
    await asking.answer(app, f"{APPS}/OpenReport", report.request)
    await asking.answer(app, f"{APPS}/PutMedia", piece_of(report))
    request = pb.SubmitReportRequest(report_id=report.report_id)
    answer = await asking.answer(app, f"{APPS}/SubmitReport", request)
    return report.registered(answer.receipt.number)


async def _settle(asking: Asking, officers: Mapping[str, Officer], report: Planted) -> None:
    request = staff.NameSubjectRequest(
        report_id=report.report_id,
        subject=staff.Subject(officer_id=officers["subject"].officer_id),
    )
    await asking.answer(_as(officers["outside"]), f"{COMPLAINTS}/NameSubject", request)


async def _raise(asking: Asking, report: Planted, kind: str) -> None:
    request = pb.RaiseReportRequest(
        report_id=report.report_id,
        category=pb.Category.Value(f"CATEGORY_{kind.upper()}"),
        reason="walk",
    )
    await asking.answer(DISPATCHER, f"{DESK}/RaiseReport", request)


async def _shown(asking: Asking, report: Planted, outside: Caller) -> Planted:
    """The report with the kind that it has now and the forms of its picture, or of the first frame
    of its film. The clean one is made here, of the same bytes: nobody who plants is assigned."""
    reader = outside if SEALED in (report.kind,) or "complaint" in report.name else DISPATCHER
    get = pb.ReportDeskGetReportRequest(report_id=report.report_id)
    until = time.monotonic() + READY_SECONDS
    while True:
        found = (await asking.answer(reader, f"{DESK}/GetReport", get)).report
        if all(item.blurred_sha256 and item.evidence_sha256 for item in found.media):
            break
        assert time.monotonic() < until, "the files are not in the evidence store, or not blurred"
        await asyncio.sleep(0.3)
    kind = pb.Category.Name(found.report.category).removeprefix("CATEGORY_").lower()
    request = pb.OpenEvidenceRequest(
        report_id=report.report_id, media_id=report.media_id, first_frame=report.filmed
    )
    blurred = await asking.content(reader, f"{DESK}/OpenEvidence", request)
    [item] = found.media
    clean = _first_frame_of(report) if report.filmed else _clean_form_of(report)
    expected = item.first_frame_sha256 if report.filmed else item.shown_sha256
    assert hashlib.sha256(clean).hexdigest() == expected
    return replace(report, kind=kind).shown(clean, blurred)


def _clean_form_of(report: Planted) -> bytes:
    clean = io.BytesIO()
    clean_picture(io.BytesIO(report.picture), len(report.picture), "image/jpeg", clean)
    return clean.getvalue()


def _first_frame_of(report: Planted) -> bytes:
    film, size = io.BytesIO(report.picture), len(report.picture)
    return clean_recording(film, size, "video/quicktime", io.BytesIO()).first_frame
