"""`tartip sandbox`, started as it is started by hand, and used as docs/partners.md says.

The client that hands everything in (`outside_client.py`) runs in a folder of its own and knows the
stubs alone that were made there.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from tartip.common.v1.common_pb2 import Place
from tartip.reports.v1 import reports_pb2 as pb
from tartip_cli.data_dir import DataDir
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.ports import free_base
from tartip_cli.settings import inherited_environment
from tartip_partner import CertificateExpired, Identity, Refused, ReportsClient, Retries, new_id

pytestmark = pytest.mark.nightly
ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "partners.md").read_text()
START_SECONDS = 600
STOP_SECONDS = 120
CLIENT_SECONDS = 1500
IMPATIENT = Retries(call_seconds=10.0, total_seconds=10.0)


@dataclass
class RunningSandbox:
    """A sandbox as its own output describes it."""

    process: subprocess.Popen[str]
    told: dict[str, Any]

    def tell(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self.told["control"] + path, json.dumps(body).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def client(self, partner: str) -> ReportsClient:
        (found,) = [one for one in self.told["partners"] if one["name"] == partner]
        ca, certificate, key = (
            Path(path) for path in (self.told["ca"], found["certificate"], found["key"])
        )
        identity = Identity(ca=ca, certificate=certificate, key=key)
        return ReportsClient(self.told["reports"], identity, retries=IMPATIENT)

    def stop(self) -> str:
        """Ctrl-C; returns what it printed since."""
        self.process.send_signal(signal.SIGINT)
        told, _ = self.process.communicate(timeout=STOP_SECONDS)
        return told


def start(home: Path, variables: dict[str, str]) -> RunningSandbox:
    process = subprocess.Popen(
        [sys.executable, "-m", "tartip_cli", "sandbox", "--json"],
        env={**inherited_environment(), "TARTIP_HOME": str(home), **variables},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"it ended with {process.wait()}"
    return RunningSandbox(process, json.loads(line))


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    ports = free_base()
    return {
        "TARTIP_PORT_BASE": str(ports.base),
        "TARTIP_GATEWAY_PORT": str(ports.gateway),
        "TARTIP_HEADS_DIR": str(tmp_path_factory.mktemp("heads")),
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("sandbox") / "home"
    yield folder
    erase_cluster(DataDir(folder))


@pytest.fixture(scope="module")
def sandbox(home: Path, variables: dict[str, str]) -> Iterator[RunningSandbox]:
    running = start(home, variables)
    yield running
    if running.process.poll() is None:
        running.stop()


def draft(**changes: Any) -> pb.OpenReportRequest:
    report = pb.OpenReportRequest(
        report_id=new_id(),
        category=pb.CATEGORY_INCIDENT,
        place=Place(latitude=43.2389, longitude=76.9286, region="KZ-75"),
        text="A street lamp lies across the pavement. sandbox:manual",
        language="en",
    )
    report.occurred_at.GetCurrentTime()
    report.MergeFrom(pb.OpenReportRequest(**changes))
    return report


def photograph() -> bytes:
    written = io.BytesIO()
    Image.effect_noise((1200, 900), 80).save(written, "JPEG", quality=95)
    return written.getvalue()


def recording(codec: str, frames: list[Any], **stream: Any) -> bytes:
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as container:
        made: Any = container.add_stream(codec, **stream)
        if codec == "mpeg4":
            made.width, made.height, made.pix_fmt = 320, 240, "yuv420p"
        else:
            made.layout = "mono"
        for frame in (*frames, None):
            container.mux(made.encode(frame))
    return written.getvalue()


def film() -> bytes:
    shades = (np.full((240, 320, 3), 20 * shade, np.uint8) for shade in range(10))
    pictures = [av.VideoFrame.from_ndarray(shade, format="rgb24") for shade in shades]
    return recording("mpeg4", pictures, rate=10)


def voice() -> bytes:
    frames = []
    for number in range(16):
        silence = np.zeros((1, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 1024 * number
        frames.append(frame)
    return recording("aac", frames, rate=16_000)


def test_a_client_of_the_guide_and_the_protos_follows_all_kinds_to_closure(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    protos = [str(path) for path in sorted((ROOT / "proto").rglob("*.proto"))]
    stubs = [f"-I{ROOT / 'proto'}", f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}"]
    run([sys.executable, "-m", "grpc_tools.protoc", *stubs, *protos], tmp_path)
    media = {"photograph": photograph(), "film": film(), "voice": voice()}
    for name, content in media.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "client.py").write_bytes(Path(__file__).with_name("outside_client.py").read_bytes())
    (kaspi,) = [one for one in sandbox.told["partners"] if one["name"] == "kaspi"]
    addresses = (sandbox.told["reports"], sandbox.told["control"], sandbox.told["ca"])
    files = (kaspi["certificate"], kaspi["key"], *media)
    told = run([sys.executable, "client.py", *addresses, *files], tmp_path, CLIENT_SECONDS)
    seen = json.loads(told)

    assert Path(seen["stubs"]).is_relative_to(tmp_path)
    assert not {name.partition(".")[0] for name in seen["imported"]} - {"tartip"}
    reports = seen["reports"]
    kinds = {name.removeprefix("CATEGORY_").lower() for name in pb.Category.keys()[1:]}
    pairs = {(report["language"], report["category"]) for report in reports}
    assert pairs == {(language, kind) for language in ("kk", "ru", "en") for kind in kinds}
    assert all(report["media"] == ["stored"] * 3 for report in reports)
    for report in reports:
        assert report["statuses"] == expected(report), report
        assert report["word"] == "sandbox:manual" or (report["outcome"] and report["answer"])
    outcomes = {report["word"]: report["outcome"] for report in reports}
    assert outcomes["sandbox:not_confirmed"] == "not_confirmed"
    assert outcomes["sandbox:protected"] == "protected"
    assert [report["word"] for report in reports if report["extended"]] == ["sandbox:extend"]
    assert {"OVERLOADED", "STORAGE_AWAY", "UNAVAILABLE"} <= set(seen["met"])
    assert seen["breaks"] >= 2  # a word's, and that of the moved clock


def expected(report: dict[str, Any]) -> list[str]:
    """The statuses of a report of `outside_client.py`, in order."""
    if report["word"] == "sandbox:manual":
        return ["registered", "routed", "withdrawn"]
    emergencies = ("road_accident", "domestic_violence", "incident_with_child")
    # Arrival and an extension are changes with the same status.
    again = report["category"] in emergencies or report["word"] == "sandbox:extend"
    statuses = ["registered", "routed", "in_work", *(["in_work"] if again else [])]
    if report["word"] == "sandbox:ask":
        statuses += ["waits_for_reporter", "in_work"]
    if (report["language"], report["category"]) == ("ru", "traffic_violation"):
        statuses += ["answered", "disputed", "in_work"]
    return [*statuses, "answered", "closed"]


@pytest.mark.parametrize(
    ("partner", "reason"),
    [
        ("few-kinds", "REPORT_KIND_NOT_ALLOWED"),
        ("no-reports", "SCOPE_MISSING"),
        ("revoked", "PARTNER_REVOKED"),
        ("unknown", "PARTNER_UNKNOWN"),
        ("certificate-revoked", "CERTIFICATE_REVOKED"),
    ],
)
def test_each_test_partner_meets_the_refusal_that_it_is_there_for(
    sandbox: RunningSandbox, partner: str, reason: str
) -> None:
    with sandbox.client(partner) as tartip, pytest.raises(Refused) as caught:
        tartip.hand_in(draft(category=pb.CATEGORY_ROAD_ACCIDENT))
    assert caught.value.reason == reason
    assert f"`{partner}`" in GUIDE and f"`{reason}`" in GUIDE


def test_an_expired_certificate_gets_no_connection_and_a_slow_partner_waits(
    sandbox: RunningSandbox,
) -> None:
    (expired,) = [one for one in sandbox.told["partners"] if "expired" in one["name"]]
    with sandbox.client(expired["name"]) as tartip, pytest.raises(CertificateExpired):
        tartip.hand_in(draft())
    with sandbox.client("slow") as tartip:
        handed_in = draft()
        tartip.hand_in(handed_in)
        for _ in range(4):  # it repeats after the pause that RetryInfo asks for
            assert tartip.get(report_id=handed_in.report_id).receipt.number


def test_the_control_acts_for_the_desk_and_says_what_is_refused(sandbox: RunningSandbox) -> None:
    with sandbox.client("halyk") as tartip:
        report = draft()
        tartip.hand_in(report)
        acts = f"/reports/{report.report_id}"
        assert sandbox.tell(f"{acts}/take", {})["status"] == "in_work"
        asked = sandbox.tell(f"{acts}/ask", {"question": "Which house?"})
        assert asked["status"] == "waits_for_reporter"
        assert tartip.get(report_id=report.report_id).question == "Which house?"
        tartip.reply(report.report_id, "Number 44.")
        sandbox.tell(f"{acts}/extend", {"working_days": 3})
        sandbox.tell(f"{acts}/answer", {"outcome": "explained"})
        found = tartip.get(report_id=report.report_id)
    assert found.status == pb.REPORT_STATUS_ANSWERED and found.closing_outcome == "explained"
    assert found.HasField("extended_at")
    for path, body, status, reason in [
        (f"{acts}/take", {}, 409, "STATUS_NOT_ALLOWED"),
        (f"/reports/{new_id()}/take", {}, 404, "REPORT_NOT_FOUND"),
        (f"{acts}/dance", {}, 400, None),
        ("/faults", {"partner": "kaspi", "fault": "flood"}, 400, None),
        ("/clock", {"by": "-P1D"}, 400, None),
        ("/clock", {"by": "P200Y"}, 400, None),
        ("/clock", {}, 400, None),
    ]:
        with pytest.raises(urllib.error.HTTPError) as caught:
            sandbox.tell(path, body)
        told = json.load(caught.value)
        assert (caught.value.code, told.get("reason")) == (status, reason), told


def test_the_commands_of_the_guide_run_to_the_letter(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    first = GUIDE.split("## From zero to the first report")[1].split("\n## ")[0]
    control = GUIDE.split("### The control")[1].split("\n### ")[0]
    started, installed, called = blocks(first, "sh")
    assert started.splitlines() == ["make setup", ".venv/bin/tartip sandbox"]
    (program,) = blocks(first, "python")
    for name in ("libs", "partner-kit"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".tartip-sandbox").symlink_to(sandbox.told["home"])
    (tmp_path / "first.py").write_text(program)
    shell(installed, tmp_path)
    told = shell(here(called, sandbox), tmp_path)
    assert re.search(r"report KZ75-\d{4}-\d{7}\n", told)
    assert "asked: " in told and "answered: " in told
    assert told.count("now: REPORT_STATUS_IN_WORK") == 2
    (commands,) = blocks(control, "sh")
    answers = [json.loads(line) for line in shell(here(commands, sandbox), tmp_path).split("\n")]
    assert answers[0]["sandbox"] is True and answers[1]["times"] == 3
    assert answers[2]["now"] < answers[3]["now"]
    sandbox.tell("/faults", {"partner": "kaspi", "fault": "storage_away", "times": 0})


def test_ctrl_c_stops_it_and_the_next_start_goes_on_with_data_and_clock(
    sandbox: RunningSandbox, home: Path, variables: dict[str, str]
) -> None:
    report = draft()
    with sandbox.client("egov") as tartip:
        number = tartip.hand_in(report).number
    moved = sandbox.tell("/clock", {"by": "P1D"})["now"]
    told = sandbox.stop()
    assert sandbox.process.returncode == 0
    assert all("told" in json.loads(line) for line in told.splitlines())
    refused = subprocess.run(
        [sys.executable, "-m", "tartip_cli", "up"],
        env={**inherited_environment(), "TARTIP_HOME": str(home), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2 and "is a sandbox" in refused.stderr
    again = start(home, variables)
    try:
        assert again.told["now"] > moved
        with again.client("egov") as tartip:
            assert tartip.get(report_id=report.report_id).receipt.number == number
    finally:
        again.stop()


def blocks(section: str, fence: str) -> list[str]:
    return re.findall(rf"```{fence}\n(.*?)```", section, re.DOTALL)


def here(script: str, sandbox: RunningSandbox) -> str:
    """The script with the addresses of this sandbox instead of those that the guide names."""
    reports, control = sandbox.told["reports"], sandbox.told["control"]
    return script.replace("127.0.0.1:7206", reports).replace("http://127.0.0.1:7207", control)


def shell(script: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", "-eu", "-o", "pipefail", "-c", script]
    return run(command, folder, CLIENT_SECONDS, {**os.environ, "PATH": path})


def run(
    command: list[str], folder: Path, seconds: int = 120, environment: dict[str, str] | None = None
) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
