"""What is planted in a mesh: reports of every class in two regions from two apps, with unmistakable
made-up values, and officers who stand in every relation to the complaints among them."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import av
import numpy as np
from chassis.clock import new_id, system_clock, to_timestamp
from PIL import Image
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import personnel_pb2, reports_pb2
from tartip_cli.provision.vehicles import synthetic_iin

ALMATY, ASTANA = "KZ-75", "KZ-71"
PLACES = {ALMATY: (43.2, 76.9), ASTANA: (51.12, 71.4)}
# Complaints are about what happened three days ago: officers came and went before and since.
INCIDENT_DAYS = 3
# The part of no row: the original of a file with all that a phone wrote into it.
ORIGINAL = "original"


@dataclass(frozen=True)
class Planted:
    """A report, and the values by which each part of it is recognised wherever it turns up."""

    name: str
    kind: str
    region: str
    partner: str
    request: reports_pb2.OpenReportRequest
    picture: bytes
    marks: Mapping[str, tuple[bytes, ...]]
    media_id: str = field(default_factory=lambda: str(new_id()))
    # Whether `picture` is a film; then its first frame is looked for.
    filmed: bool = False
    # Of complaints: whether it is settled whom they are about, and how officers stand to them, by
    # log-in; those who are not named stand outside.
    stage: str = "before"
    standing: Mapping[str, str] = field(default_factory=dict)
    number: str = ""

    @property
    def report_id(self) -> str:
        return self.request.report_id

    def found_in(self, content: bytes) -> set[str]:
        """Return the parts of this report that the content shows."""
        return {
            part for part, marks in self.marks.items() if any(mark in content for mark in marks)
        }

    def registered(self, number: str) -> Planted:
        known = (number.encode(), self.report_id.encode())
        return replace(self, number=number, marks={**self.marks, "known": known})

    def shown(self, clean: bytes, blurred: bytes) -> Planted:
        """Return the report with two forms of its picture or first frame, each recognised by its
        middle."""
        forms = {"media": clean, "blurred": blurred}
        middles = {part: (form[len(form) // 2 :][:48],) for part, form in forms.items()}
        return replace(self, marks={**self.marks, **middles})


@dataclass(frozen=True)
class Officer:
    """An officer with where he serves and served: unit, since and until how many days ago."""

    log_in: str
    family: str
    badge: str
    served: tuple[tuple[str, float, float | None], ...]
    officer_id: str = field(default_factory=lambda: str(new_id()))

    def request(self) -> personnel_pb2.PutOfficerRequest:
        name = personnel_pb2.OfficerName(family=self.family, given="Сынақ")
        officer = personnel_pb2.Officer(
            officer_id=self.officer_id, log_in=self.log_in, badge=self.badge, kk=name, ru=name
        )
        return personnel_pb2.PutOfficerRequest(request_id=str(new_id()), officer=officer)

    def postings(self) -> list[personnel_pb2.AddPostingRequest]:
        now = system_clock()
        requests = []
        for unit, since, until in self.served:
            posting = personnel_pb2.Posting(
                posting_id=str(new_id()),
                unit=unit,
                starts_at=to_timestamp(now - dt.timedelta(days=since)),
            )
            if until is not None:
                posting.ends_at.CopyFrom(to_timestamp(now - dt.timedelta(days=until)))
            requests.append(
                personnel_pb2.AddPostingRequest(officer_id=self.officer_id, posting=posting)
            )
        return requests


class Planting:
    """Makes the values of one walk; nothing of them was ever used before."""

    def __init__(self) -> None:
        self._rng = random.Random()
        self.mark = f"{self._rng.randrange(16**6):06x}"
        self._numbers = itertools.count(1)

    def units(self) -> list[personnel_pb2.PutUnitRequest]:
        """Four units of internal security: the officer's, those above and below it, one apart."""
        made = []
        for name, parent in (
            *(("above", "mia"), ("apart", "mia")),
            *(("his", self.unit("above")), ("below", self.unit("his"))),
        ):
            unit = personnel_pb2.Unit(
                unit=self.unit(name),
                kind=personnel_pb2.UNIT_KIND_INTERNAL_SECURITY,
                parent=parent,
                name_kk=name,
                name_ru=name,
                valid_from=to_timestamp(system_clock() - dt.timedelta(days=2000)),
            )
            made.append(personnel_pb2.PutUnitRequest(request_id=str(new_id()), unit=unit))
        return made

    def unit(self, name: str) -> str:
        return f"walk-{self.mark}-{name}"

    def officer(self, name: str, *served: tuple[str, float, float | None]) -> Officer:
        units = tuple(
            (self.unit(unit) if unit in ("above", "apart", "his", "below") else unit, since, until)
            for unit, since, until in served
        )
        number = next(self._numbers)
        # The number comes first: names that differ in their endings alone may mean each other.
        letters = "".join(chr(0x430 + int(digit, 16)) for digit in f"{number:02x}{self.mark}")
        return Officer(
            log_in=f"walk-{self.mark}-{name}",
            family=f"{letters.capitalize()}ов",
            badge=f"{int(self.mark, 16) % 9000 + 1000}{number:03}",
            served=units,
        )

    def officers(self) -> dict[str, Officer]:
        """Who would all see complaints, were it not for what they have to do with them."""
        made = (
            self.officer("outside", ("apart", 900, None)),
            self.officer("subject", ("his", 900, None)),
            self.officer("colleague", ("his", 900, None)),
            self.officer("former", ("his", 900, 1), ("apart", 1, None)),
            self.officer("long-gone", ("his", 900, 10), ("apart", 10, None)),
            self.officer("chief", ("above", 900, None)),
            self.officer("junior", ("below", 900, None)),
            self.officer("local", ("KZ-75-duty", 900, 1), ("apart", 1, None)),
            *(
                self.officer(f"by-{way}", ("apart", 900, None))
                for way in ("name", "badge", "login")
            ),
        )
        return {one.log_in.split("-", 2)[2]: one for one in made}

    def report(
        self,
        name: str,
        kind: str,
        *,
        region: str = ALMATY,
        officer: str = "",
        beside: Planted | None = None,
        **known: Any,
    ) -> Planted:
        """A report of its own place; `beside` names another at whose place and time it happened."""
        number = next(self._numbers)
        partner = ("egov", "kaspi")[number % 2]
        mark, is_complaint = f"{self.mark}-{number}", kind == "complaint_about_officer"
        reporter = reports_pb2.Reporter(
            iin=synthetic_iin(self._rng),
            name=f"Walk Reporter {mark}",
            phone=f"+7701{self._rng.randrange(10**7):07}",
        )
        latitude, longitude = PLACES[region]
        days = INCIDENT_DAYS if is_complaint else 0
        request = reports_pb2.OpenReportRequest(
            report_id=str(new_id()),
            category=reports_pb2.Category.Value(f"CATEGORY_{kind.upper()}"),
            place=common_pb2.Place(
                latitude=latitude + self._rng.random() / 30,
                longitude=longitude + self._rng.random() / 30,
                region=region,
                address=f"walk-street-{mark}",
            ),
            occurred_at=to_timestamp(system_clock() - dt.timedelta(days=days, minutes=4)),
            text=f"What happened is walk-text-{mark} {'' if is_complaint else officer}",
            reporter=reporter,
            language="ru",
            officer=officer if is_complaint else "",
        )
        if beside is not None:
            request.place.latitude = beside.request.place.latitude
            request.place.longitude = beside.request.place.longitude
            request.occurred_at.CopyFrom(beside.request.occurred_at)
        taken = dt.datetime(2026, 3, 1, 7, tzinfo=dt.UTC) + dt.timedelta(
            seconds=self._rng.randrange(10**7)
        )
        phone = f"WalkPhone {mark}"
        marks = {
            "text": (f"walk-text-{mark}".encode(), f"walk-street-{mark}".encode()),
            "reporter": tuple(
                value.encode() for value in (reporter.iin, reporter.name, reporter.phone)
            ),
            "taken": (f"{taken:%Y-%m-%dT%H:%M:%S}".encode(),),
            ORIGINAL: (phone.encode(),),
        }
        made = film if known.get("filmed") else photograph
        picture = made(self._rng, taken, phone, PLACES[region])
        return Planted(name, kind, region, partner, request, picture, marks, **known)


def photograph(
    rng: random.Random, taken: dt.datetime, phone: str, place: tuple[float, float]
) -> bytes:
    """A small picture of noise in which a phone wrote its name, when and where it was taken."""
    written = Image.Exif()
    written[0x010F] = phone
    written.get_ifd(0x8769).update({0x9003: f"{taken:%Y:%m:%d %H:%M:%S}", 0x9011: "+00:00"})
    latitude, longitude = place
    written.get_ifd(0x8825).update(
        {1: "N", 2: (latitude // 1, 12.0, 0.0), 3: "E", 4: (longitude // 1, 54.0, 0.0)}
    )
    picture = Image.frombytes("L", (96, 96), rng.randbytes(96 * 96)).convert("RGB")
    content = io.BytesIO()
    picture.save(content, "JPEG", exif=written, quality=90)
    return content.getvalue()


def film(rng: random.Random, taken: dt.datetime, phone: str, place: tuple[float, float]) -> bytes:
    """A film of one picture of noise, into which a phone wrote the same as into a photograph."""
    written, latitude, longitude = io.BytesIO(), *place
    options = {"movflags": "use_metadata_tags"}
    with av.open(written, "w", format="mov", options=options) as container:
        container.metadata.update(
            {
                "com.apple.quicktime.model": phone,
                "com.apple.quicktime.creationdate": f"{taken:%Y-%m-%dT%H:%M:%S}+0000",
                "com.apple.quicktime.location.ISO6709": f"{latitude:+08.4f}{longitude:+09.4f}/",
            }
        )
        stream: Any = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
        noise = np.frombuffer(rng.randbytes(96 * 96 * 3), np.uint8).reshape(96, 96, 3)
        frame = av.VideoFrame.from_ndarray(noise, format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return written.getvalue()


def piece_of(report: Planted) -> reports_pb2.PutMediaRequest:
    return reports_pb2.PutMediaRequest(
        report_id=report.report_id,
        media_id=report.media_id,
        content=report.picture,
        total_bytes=len(report.picture),
        sha256=hashlib.sha256(report.picture).hexdigest(),
        content_type="video/quicktime" if report.filmed else "image/jpeg",
    )
