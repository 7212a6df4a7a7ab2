"""The commands that others build on, run as they are run by hand."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
from chassis.clock import new_id
from tartip_cli.clients import samples
from tartip_cli.clients.partner import Outside
from tartip_cli.clients.readings import as_json
from tartip_cli.failures import Exit
from tartip_cli.settings import inherited_environment
from tartip_scenes.rtsp import RtspServer
from tartip_scenes.scenes import draw_film, draw_scene
from tartip_testing.mesh import RunningTestMesh

pytestmark = pytest.mark.mesh


def tartip(home: Path, *arguments: str, seconds: float = 180) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tartip_cli", *arguments],
        env={**inherited_environment(), "TARTIP_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_open_fines_are_reckoned_anew_by_a_command_that_finds_them_right(
    mesh: RunningTestMesh, sample_cameras: Any
) -> None:
    for arguments in (("--dry-run",), (), ("--purpose", "2027 жылғы кестеден кейін")):
        done = tartip(mesh.home.path, "fines", "redate", "--json", *arguments)
        assert done.returncode == Exit.OK, done.stderr
        told = json.loads(done.stdout)
        assert told["dry_run"] is ("--dry-run" in arguments)
        assert (told["changed"], told["refused"]) == ([], [])
    shown = tartip(mesh.home.path, "fines", "redate")
    assert shown.stdout.strip().endswith(f"{told['looked_at']} open fines looked at, 0 changed.")


def test_the_demonstration_tells_both_journeys_and_may_be_repeated(
    mesh: RunningTestMesh, sample_cameras: Any
) -> None:
    told = []
    for _ in range(2):
        done = tartip(mesh.home.path, "demo", "--json")
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout))
    first, second = told
    assert len(first["steps"]) == len(second["steps"]) >= 15
    assert first["cameras"] == second["cameras"]
    assert first["fine"] != second["fine"] and first["report"] != second["report"]
    assert all(len(step["trace_id"]) == 32 for step in first["steps"])
    for number in (first["fine"], first["report"]):
        story = tartip(mesh.home.path, "trace", number, "--json")
        assert story.returncode == 0, story.stderr
        assert len(json.loads(story.stdout)["services"]) >= 4


def test_ingest_prints_an_object_a_line_and_names_what_is_refused(
    mesh: RunningTestMesh, sample_cameras: Any, new_frame: Any, tmp_path: Path
) -> None:
    journey, vehicle = new_frame()
    (tmp_path / "car.jpg").write_bytes(journey.picture)
    (tmp_path / "letter.jpg").write_bytes(b"not a picture at all" * 50)
    signed = {
        **as_json(journey.signed.readings),
        "signature": base64.b64encode(journey.signed.signature).decode(),
    }
    readings = tmp_path / "readings.json"
    readings.write_text(json.dumps({"car.jpg": signed}))
    done = tartip(
        mesh.home.path,
        "ingest",
        str(tmp_path / "*.jpg"),
        "--camera",
        journey.camera_id,
        "--readings",
        str(readings),
        "--json",
    )
    assert done.returncode == Exit.REFUSED, done.stderr
    answers = {Path(a["file"]).name: a for a in map(json.loads, done.stdout.splitlines())}
    car = answers["car.jpg"]
    assert car["plates"][0]["text"] == vehicle.plate and len(car["plates"][0]["box"]) == 4
    assert [event["subject"] for event in car["events"]] == ["inference.v1.plate_read"]
    assert answers["letter.jpg"]["refused"] == "NOT_A_PICTURE"


def test_ingest_looks_at_a_film_frame_by_frame(
    mesh: RunningTestMesh, sample_cameras: Any, personal: set[str], tmp_path: Path
) -> None:
    path = tmp_path / "film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 4.0, (1280, 720))
    text = ""
    for scene in draw_film(77, frames=8):
        text = scene.truth.text
        writer.write(scene.picture)
    writer.release()
    personal.add(text)
    done = tartip(
        mesh.home.path,
        "ingest",
        str(path),
        "--camera",
        sample_cameras[2].camera_id,
        "--fps",
        "2",
        "--taken-at",
        "2026-11-20 18:30",
        "--json",
    )
    assert done.returncode == 0, done.stderr + done.stdout
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) in (3, 4, 5)
    assert text in {plate["text"] for answer in answers for plate in answer["plates"]}
    assert all(answer["at"].startswith("2026-11-20T13:30:0") for answer in answers)
    assert ["account" in answer for answer in answers] == [False] * (len(answers) - 1) + [True]
    account = answers[-1]["account"]
    assert account["offered_seconds"] == account["looked_at_seconds"] == pytest.approx(2.0)
    assert (account["left_out_seconds"], account["started_at_by"]) == ({}, "given")
    told = tartip(mesh.home.path, "ingest", str(path), "--camera", sample_cameras[2].camera_id)
    assert "seconds of film" in told.stdout and "now, less its length" in told.stdout


def test_ingest_finds_a_camera_by_its_serial_or_its_name(
    mesh: RunningTestMesh, sample_cameras: Any, tmp_path: Path
) -> None:
    (tmp_path / "street.jpg").write_bytes(draw_scene(7).jpeg)
    camera = sample_cameras[2]
    for called in (camera.device.serial, camera.name.upper(), camera.camera_id):
        done = tartip(
            mesh.home.path, "ingest", str(tmp_path / "street.jpg"), "--camera", called, "--json"
        )
        assert done.returncode == 0, done.stderr
    done = tartip(mesh.home.path, "ingest", str(tmp_path / "street.jpg"), "--camera", "no such")
    assert done.returncode == Exit.NOT_FOUND
    assert "no such" in done.stderr and "Traceback" not in done.stderr


def test_ingest_lists_the_cameras_where_several_have_the_name(
    mesh: RunningTestMesh, sample_cameras: Any
) -> None:
    name = f"Sample: twin {new_id()}"
    ids = [str(new_id()) for _ in range(2)]

    async def register() -> None:
        async with Outside(
            home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer
        ) as outside:
            for camera_id in ids:
                described = {
                    **sample_cameras[2].body["description"],
                    "name": name,
                    "serial": camera_id,
                }
                body = {"camera_id": camera_id, "description": described}
                await outside.as_operator(samples.ADMINISTRATOR).post("/v1/cameras", body)

    asyncio.run(register())
    done = tartip(mesh.home.path, "ingest", __file__, "--camera", name)
    assert done.returncode == Exit.USAGE
    assert all(camera_id in done.stderr for camera_id in ids)


def test_ingest_names_why_a_stream_cannot_be_watched(
    mesh: RunningTestMesh, sample_cameras: Any
) -> None:
    server = RtspServer([scene.picture for scene in draw_film(3, frames=4)])
    server.guard("live", "viewer:right-word")
    capitals = " RTSP" + server.address.removeprefix("rtsp")
    for address, reason in (
        (capitals, "STREAM_UNAUTHORIZED"),
        ("rtsp://viewer:secret-word@127.0.0.1:9/live", "STREAM_AWAY"),
    ):
        done = tartip(
            mesh.home.path,
            "ingest",
            address,
            "--camera",
            sample_cameras[2].camera_id,
            "--json",
            seconds=60,
        )
        assert done.returncode == Exit.REFUSED, done.stderr
        assert json.loads(done.stdout)["refused"] == reason
    server.stop()


def test_ingest_without_a_camera_says_how_to_find_one(mesh: RunningTestMesh) -> None:
    done = tartip(mesh.home.path, "ingest", "car.jpg")
    assert done.returncode == Exit.USAGE
    assert "tartip seed" in done.stderr and "Traceback" not in done.stderr


def test_seed_says_the_same_cameras_again(mesh: RunningTestMesh, sample_cameras: Any) -> None:
    said = [json.loads(tartip(mesh.home.path, "seed", "--json").stdout) for _ in range(2)]
    assert said[0] == said[1]
    assert [c["camera_id"] for c in said[0]["cameras"]] == [c.camera_id for c in sample_cameras]


def test_a_mesh_that_does_not_run_gives_one_clear_line(tmp_path: Path) -> None:
    for command in (("demo",), ("seed",), ("verify",), ("ingest", __file__, "--camera", "x")):
        done = tartip(tmp_path, *command)
        assert done.returncode == Exit.NOT_RUNNING, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1 and "tartip up" in done.stderr


def test_the_audit_logs_fit_and_a_changed_past_is_found(mesh: RunningTestMesh) -> None:
    done = tartip(mesh.home.path, "verify", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0 and told["fits"], told
    assert len(told["logs"]) == 5
    kept = mesh.home.path / "verify.json"
    seen = json.loads(kept.read_text())
    if not seen:
        pytest.skip("nothing is sealed yet: the sealer works once a minute")
    service = next(iter(seen))
    forged = {**seen, service: {**seen[service], "root": "00" * 32}}
    kept.write_text(json.dumps(forged))
    done = tartip(mesh.home.path, "verify", "--json")
    assert done.returncode == 1
    wrong = {log["service"]: log["wrong"] for log in json.loads(done.stdout)["logs"]}
    assert wrong[service] and not any(wrong[name] for name in wrong if name != service)
    kept.write_text(json.dumps(seen))


def test_cameras_of_a_file_are_registered_and_its_broken_rows_named(
    mesh: RunningTestMesh, tmp_path: Path
) -> None:
    head = "name;latitude;longitude;kind;serial;owner_bin"
    rows = [
        f"Made up {row};43,2{row:03d};76,9;overview;{new_id()};100140000003" for row in range(40)
    ]
    rows[7] = rows[7].replace("overview", "webcam")
    rows[9] = rows[9].replace("100140000003", "1")
    path = tmp_path / "cameras.csv"
    path.write_text("\n".join((head, *rows)), encoding="cp1251")
    told = []
    for arguments in (("--dry-run",), (), ()):
        done = tartip(mesh.home.path, "cameras", "import", str(path), "--json", *arguments)
        assert done.returncode == Exit.REFUSED, done.stderr
        told.append(json.loads(done.stdout))
    for answer in told:
        assert [(each["row"], each["field"]) for each in answer["refused"]] == [
            (8, "kind"),
            (10, "owner_bin"),
        ]
    numbers = [(each["added"], each["unchanged"]) for each in told]
    assert numbers == [(38, 0), (38, 0), (0, 38)]
    shown = tartip(mesh.home.path, "cameras", "import", str(path))
    assert "0 added, 0 changed, 38 unchanged, 2 refused" in shown.stdout


def test_exported_cameras_are_imported_again_without_a_change(
    mesh: RunningTestMesh, sample_cameras: Any, tmp_path: Path
) -> None:
    path = tmp_path / "cameras.csv"
    for filters in ((), ("region=KZ-75", "function=plate")):
        done = tartip(mesh.home.path, "cameras", "export", str(path), *filters, "--json")
        assert done.returncode == Exit.OK, done.stderr
        exported = json.loads(done.stdout)["exported"]
        assert exported == len(path.read_text("utf-8-sig").splitlines()) - 1 > 0
        done = tartip(mesh.home.path, "cameras", "import", str(path), "--json")
        assert done.returncode == Exit.OK, done.stderr + done.stdout
        told = json.loads(done.stdout)
        assert (told["added"], told["changed"], told["unchanged"]) == (0, 0, exported)
    done = tartip(mesh.home.path, "cameras", "export", str(path), "colour=red")
    assert done.returncode == Exit.USAGE and "no such filter" in done.stderr


def test_all_cameras_that_match_are_changed_by_one_command(
    mesh: RunningTestMesh, tmp_path: Path
) -> None:
    head = "name;latitude;longitude;kind;serial;owner_bin;verification_number;verified_from"
    name, until = f"Bulk {new_id()}", ";verified_until;certificate_number"
    rows = [
        f"{name};43,21{row};76,91;overview;{new_id()};100140000003;V-{row};2026-01-01;2028-01-01;C"
        for row in range(3)
    ]
    path = tmp_path / "cameras.csv"
    path.write_text("\n".join((head + until, *rows)))
    assert tartip(mesh.home.path, "cameras", "import", str(path)).returncode == Exit.OK

    def change(*arguments: str) -> tuple[int, Any]:
        done = tartip(mesh.home.path, "cameras", "change", f"called={name}", "--json", *arguments)
        return done.returncode, json.loads(done.stdout)

    site = ("--set", "site=Station", "--set", "site_category=mass_gathering")
    paper = ("V-9", "2026-06-01", "2029-01-01")
    names = ("verification_number", "verified_from", "verified_until")
    verified = [
        part for pair in zip(names, paper, strict=True) for part in ("--set", "=".join(pair))
    ]
    for arguments, changed in (
        ((*site, "--dry-run"), 3),
        (site, 3),
        (site, 0),
        (verified, 3),
    ):
        told = {"dry_run": "--dry-run" in arguments, "matched": 3, "changed": changed}
        assert change(*arguments) == (Exit.OK, {**told, "refused": []})
    code, told = change("--set", "kind=speed_point", "--set", "certificate_number=")
    assert (code, told["changed"]) == (Exit.REFUSED, 0)
    assert [each["reason"] for each in told["refused"]] == ["PAPERS_REQUIRED"] * 3
    assert len({each["camera_id"] for each in told["refused"]}) == 3
    exported = tartip(mesh.home.path, "cameras", "export", str(path), f"called={name}")
    assert "3 cameras exported" in exported.stdout
    done = tartip(mesh.home.path, "cameras", "import", str(path))
    assert "0 added, 0 changed, 3 unchanged" in done.stdout
    done = tartip(mesh.home.path, "cameras", "change", "--set", "site=A")
    assert done.returncode == Exit.USAGE and "--all" in done.stderr


def test_cameras_are_imported_over_rest_as_they_are_listed_there(
    mesh: RunningTestMesh, sample_cameras: Any
) -> None:
    async def imported(**changes: Any) -> Any:
        async with Outside(
            home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer
        ) as outside:
            desk = outside.as_operator(samples.ADMINISTRATOR)
            listed = (await desk.get("/v1/cameras", page_size=2)).body["cameras"]
            names = ("camera_id", "version", "description")
            rows = [
                {"row": row, **{name: camera[name] for name in names}, **changes}
                for row, camera in enumerate(listed, 1)
            ]
            body = {"import_id": str(new_id()), "cameras": rows, "dry_run": bool(changes)}
            return (await desk.post("/v1/cameras/import", body)).body

    told = asyncio.run(imported())
    assert (told["unchanged"], told["refused"]) == (2, [])
    told = asyncio.run(imported(version=99))
    assert [each["reason"] for each in told["refused"]] == ["CAMERA_CHANGED_MEANWHILE"] * 2


def test_a_made_up_country_is_seeded_once(mesh: RunningTestMesh) -> None:
    for figure in ("added", "unchanged"):
        done = tartip(mesh.home.path, "seed", "cameras", "--count", "2500", "--seed", "3", "--json")
        assert done.returncode == Exit.OK, done.stderr
        told = json.loads(done.stdout)
        assert (told[figure], told["refused"]) == (2500, [])
