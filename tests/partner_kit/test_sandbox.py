"""`tartip sandbox`, started as it is started by hand, and used as docs/partners.md says.

The client that hands everything in (`outside_client.py`) runs in a folder of its own and knows the
stubs alone that were made there.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from standardwebhooks import Webhook
from tartip.common.v1.common_pb2 import Place
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1 import reports_pb2_grpc
from tartip_cli.data_dir import DataDir
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.ports import free_base
from tartip_cli.settings import inherited_environment
from tartip_partner import CertificateExpired, Refused, new_id

from .running_sandbox import (
    CLIENT_SECONDS,
    GUIDE,
    ROOT,
    RunningSandbox,
    WebhookReceiver,
    blocks,
    film,
    here,
    photograph,
    run,
    section,
    shell,
    start,
    voice,
)

pytestmark = pytest.mark.nightly
WEBHOOK_SECONDS = 150


@pytest.fixture(scope="module")
def variables(
    tmp_path_factory: pytest.TempPathFactory, receiver: WebhookReceiver
) -> dict[str, str]:
    ports = free_base()
    return {
        "TARTIP_WEBHOOK_HOSTS": f"127.0.0.1:{receiver.port}",
        "TARTIP_WEBHOOK_CA": str(receiver.folder / "hook.pem"),
        "TARTIP_PORT_BASE": str(ports.base),
        "TARTIP_GATEWAY_PORT": str(ports.gateway),
        "TARTIP_HEADS_DIR": str(tmp_path_factory.mktemp("heads")),
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("sandbox") / "home"
    yield folder
    if folder.exists():
        erase_cluster(DataDir(folder))


@pytest.fixture(scope="module")
def sandbox(home: Path, variables: dict[str, str]) -> Iterator[RunningSandbox]:
    running = start(home, variables)
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebhookReceiver]:
    folder = tmp_path_factory.mktemp("receiver")
    made, _ = blocks(section("### Webhooks of the sandbox"), "sh")
    shell(made.partition("TARTIP_WEBHOOK_HOSTS=")[0], folder)
    with WebhookReceiver(folder) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield server
        server.shutdown()


def test_a_webhook_that_fails_comes_again_and_is_verified_by_the_library(
    sandbox: RunningSandbox, receiver: WebhookReceiver, variables: dict[str, str], tmp_path: Path
) -> None:
    started, changed = blocks(section("### Webhooks of the sandbox"), "sh")
    assert "TARTIP_WEBHOOK_HOSTS=127.0.0.1:9443 TARTIP_WEBHOOK_CA=hook.pem" in started
    command = changed.replace(".tartip-sandbox", sandbox.told["home"]).replace(".venv/bin/", "")
    shell(command.replace("9443", str(receiver.port)), tmp_path)
    secret = secret_of(sandbox, "kaspi")
    with sandbox.client("kaspi") as tartip:
        tartip.hand_in(draft())
    until = time.monotonic() + WEBHOOK_SECONDS
    while len(receiver.received) < 2 and time.monotonic() < until:
        time.sleep(0.2)
    (first, _), (second, body) = receiver.received[:2]
    assert first["webhook-id"] == second["webhook-id"]
    for _, sent in receiver.received:
        assert set(json.loads(sent)) == {"type", "timestamp", "data"}
    if sandbox.told["now"][:10] == sandbox.now()[:10]:  # the library compares the time with its own
        Webhook(secret).verify(body, dict(second.items()))


def secret_of(sandbox: RunningSandbox, partner: str) -> str:
    """The secret of a partner's webhooks, once the service has read where they go."""
    ca, certificate, key = (path.read_bytes() for path in sandbox.files(partner))
    credentials = grpc.ssl_channel_credentials(ca, key, certificate)
    with grpc.secure_channel(sandbox.told["reports"], credentials) as channel:
        stub = reports_pb2_grpc.CitizenReportsStub(channel)
        request = pb.RotateWebhookSecretRequest(request_id=new_id())
        until = time.monotonic() + WEBHOOK_SECONDS
        while True:
            try:
                return stub.RotateWebhookSecret(request, timeout=10).secret
            except grpc.RpcError:
                if time.monotonic() > until:
                    raise
            time.sleep(1)


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


def values_in(told: str) -> list[Any]:
    """The JSON values of a text, one after the other with or without line ends between them."""
    found, rest = [], told.strip()
    while rest:
        value, end = json.JSONDecoder().raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    return found


def test_the_commands_of_the_guide_run_to_the_letter(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    first = section("## From zero to the first report")
    control = section("### The control")
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
    answers = values_in(shell(here(commands, sandbox), tmp_path))
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
