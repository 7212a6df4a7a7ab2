"""`tartip demo`: shows on the running mesh how a camera's frame leads to a paid fine, and how a
citizen's report is answered.

Only public interfaces are used: an administrator registers cameras over REST, a device sends frames
with signed readings, an inspector signs decisions with a key, a bank pays over mutual TLS, and a
citizen's app sends a report. The demonstration can be repeated with the same data folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import typer
from chassis.clock import system_clock
from chassis.refusals import Refusal
from law.zone import almaty_day, in_almaty

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.failures import Exit, Failure, from_group
from tartip_cli.settings import Settings, read_settings

_FRAMES = 4
"""How many frames of a vehicle are sent until its plate is read correctly."""
_WAIT_SECONDS = 60.0


def register(app: App) -> None:
    app.command()(demo)


def demo(
    as_json: AsJson = False,
    seed: Annotated[
        int | None, typer.Option("--seed", help="The random seed of the drawn scenes.")
    ] = None,
) -> None:
    """Demonstrate on the running mesh how a camera's frame leads to a fine that a bank pays, and
    how a citizen's report is answered."""
    settings = read_settings()
    chosen = random.SystemRandom().randrange(1 << 31) if seed is None else seed
    asyncio.run(_demo(settings, chosen, as_json=as_json))


async def _demo(settings: Settings, seed: int, *, as_json: bool) -> None:
    from tartip_cli.cli.step_reporter import StepReporter
    from tartip_cli.clients.journeys import NotInTime
    from tartip_cli.clients.partner import outside
    from tartip_cli.clients.traces import traced

    async with outside(settings) as mesh:
        with traced(*settings.exports_to(mesh.otlp_endpoint)):
            story = _Demonstration(settings, mesh, StepReporter(quiet=as_json), seed)
            try:
                await story.run()
            except Refusal as refusal:
                fields = "; ".join(f"{e.field}: {e.description}" for e in refusal.fields)
                raise Failure(
                    f"{story.at}: refused, {refusal.reason}: {refusal.message.en} {fields}".rstrip()
                    + " (`tartip logs` and `tartip status` say more)",
                    Exit.REFUSED,
                ) from refusal
            except NotInTime as late:
                raise Failure(
                    f"{story.at}: {late}; see `tartip status` and `tartip logs`"
                ) from late
    if as_json:
        print_json({"steps": story.reporter.as_json(), **story.numbers})
    else:
        console.print(story.reporter.table("What happened", width=console.width))
        console.print(
            f"\nOperators' console: {mesh.gateway_url}/   API: {mesh.gateway_url}/v1/docs\n"
            + hint(f"One whole story:    `tartip trace {story.numbers['fine']}`\n")
            + hint(f"Another one:        `tartip trace {story.numbers['report']}`\n")
            + f"For a bank's tests: fine {story.numbers['open_fine']} stays open; its vehicle is "
            f"{story.numbers['open_plate']}, its owner is in {story.vehicles}",
            highlight=False,
            soft_wrap=True,
        )


class _Demonstration:
    """The steps of the demonstration; `numbers` collects the numbers of the cases."""

    def __init__(self, settings: Settings, mesh: Any, reporter: Any, seed: int) -> None:
        self.reporter = reporter
        self.numbers: dict[str, Any] = {"seed": seed}
        self._settings: Settings = settings
        self._mesh = mesh
        self._seed = seed

    @property
    def vehicles(self) -> Path:
        """The path of the vehicle register that the fines service reads."""
        from tartip_cli.clients import samples

        return samples.vehicles_path(self._mesh.home, self._settings.vehicles_file)

    @property
    def at(self) -> str:
        """The last completed step, for error messages."""
        return f"after step {len(self.reporter.steps)} of the demonstration"

    async def run(self) -> None:
        from tartip_cli.clients import samples

        samples.ensure_vehicles(self.vehicles)
        speed, light, _ = await self._register_cameras()
        await self._frame_to_tenge(speed)
        await self._red_light(light)
        await self._report_to_answer()
        await self._figures()

    async def _register_cameras(self) -> Any:
        from tartip_cli.clients import samples
        from tartip_cli.clients.journeys import patiently

        now = system_clock()
        with self.reporter.step("cameras", "an administrator registers cameras (REST)") as step:
            cameras, step.trace_id = await patiently(
                lambda: samples.registered(self._mesh, now=now)
            )
            step.result = ", ".join(f"{camera.kind} in {camera.region}" for camera in cameras)
        self.numbers["cameras"] = [camera.camera_id for camera in cameras]
        return cameras

    async def _frame_to_tenge(self, camera: Any) -> None:
        from tartip_cli.cli.step_reporter import counted, money
        from tartip_cli.clients.journeys import patiently, wait_for

        journey, vehicle = await self._measured(
            "frame to tenge", camera, speed_kmh=88.0, speed_limit_kmh=60.0
        )
        violation_id = await self._review("frame to tenge", journey)
        with self.reporter.step("frame to tenge", "the fine is issued and delivered") as step:
            found = await wait_for(
                "the fine", lambda: journey.find_fine(violation_id), seconds=_WAIT_SECONDS
            )
            fine = found.body
            if fine["hold_reason"]:
                raise Failure(f"the fine is held: {fine['hold_reason']}", Exit.REFUSED)
            step.reference = self.numbers["fine"] = fine["number"]
            step.result = (
                f"no. {fine['number']}, {money(fine['amount']['amount_minor'])}, "
                f"half of it through {fine['dates']['discount_until']}, letter delivered"
            )
        with self.reporter.step(
            "frame to tenge", "kaspi looks up fines by IIN (gRPC, mutual TLS)"
        ) as step:
            fines = await patiently(lambda: journey.look_up(vehicle.owner.number))
            step.result = (
                f"{counted(len(fines), 'open fine')}: {', '.join(f.number for f in fines)}"
            )
            step.reference = fine["number"]
        with self.reporter.step("frame to tenge", "kaspi asks what to pay now") as step:
            quote = await patiently(lambda: journey.quote(fine["number"]))
            step.result = (
                f"{money(quote.amount_now.amount_minor)} through {quote.amount_now_until}, "
                f"then {money(quote.amount_later.amount_minor)}"
            )
            step.reference = fine["number"]
        with self.reporter.step("frame to tenge", "kaspi pays") as step:
            payment = await patiently(lambda: journey.pay(quote))
            step.result = f"ledger entry {payment.entry_id}"
            step.reference = fine["number"]
        with self.reporter.step("frame to tenge", "kaspi sends the same payment again") as step:
            again = await patiently(lambda: journey.pay(quote))
            if again != payment:
                raise Failure("the same payment was answered in another way", Exit.REFUSED)
            step.result = "the same answer; the money was taken once"
            step.reference = fine["number"]
        self.numbers["payment"] = payment.payment_id

    async def _red_light(self, camera: Any) -> None:
        from tartip.inference.v1 import inference_pb2 as inference

        from tartip_cli.clients.journeys import wait_for

        journey, vehicle = await self._measured(
            "red light",
            camera,
            signal_phase=inference.SIGNAL_PHASE_RED,
            signal_age_seconds=2.4,
            past_stop_line=True,
        )
        violation_id = await self._review("red light", journey)
        with self.reporter.step("red light", "the second fine is issued, and stays open") as step:
            found = await wait_for(
                "the fine", lambda: journey.find_fine(violation_id), seconds=_WAIT_SECONDS
            )
            step.reference = self.numbers["open_fine"] = found.body["number"]
            self.numbers["open_plate"] = vehicle.plate
            step.result = (
                f"no. {found.body['number']}, in force on {found.body['dates']['in_force_on']}"
            )

    async def _measured(self, name: str, camera: Any, **measured: Any) -> tuple[Any, Any]:
        """Send up to four frames of a vehicle until its plate is read correctly."""
        from tartip_scenes.scenes import draw_scene
        from tartip_scenes.streets import Signal

        from tartip_cli.clients import samples
        from tartip_cli.clients.journeys import FrameToTenge, patiently

        vehicle = samples.next_vehicle(self._mesh.home, self.vehicles)
        light = Signal.RED if "signal_phase" in measured else Signal.NONE
        with self.reporter.step(name, "a camera sends a frame with signed readings (gRPC)") as step:
            for number in range(1, _FRAMES + 1):
                scene = await asyncio.to_thread(
                    draw_scene, self._next_seed(), text=vehicle.plate, signal=light
                )
                picture = scene.jpeg
                signed = camera.device.sign(picture, system_clock(), **measured)
                journey = FrameToTenge(self._mesh, camera.camera_id, picture, signed)
                result = await patiently(journey.send_frame)
                read = [plate for plate in result.plates if plate.text == vehicle.plate]
                if read:
                    step.result = (
                        f"{scene.truth.light} scene: plate {read[0].text} read as drawn, "
                        f"frame {number}, weakest character {read[0].confidence:.2f}"
                    )
                    break
            else:
                raise Failure(f"the plate was misread on {_FRAMES} frames", Exit.UNEXPECTED)
        self._evidence = result.evidence_sha256
        return journey, vehicle

    async def _review(self, name: str, journey: Any) -> str:
        from tartip_cli.clients.journeys import patiently, wait_for

        with self.reporter.step(name, "the violation is in the review queue (REST)") as step:
            found = await wait_for(
                "the violation",
                lambda: journey.find_in_queue(self._evidence),
                seconds=_WAIT_SECONDS,
            )
            queued = found.body
            violation_id = str(queued["violation_id"])
            over = queued["over_kmh"]
            step.reference = violation_id
            step.result = f"{queued['offence']['code']}, KoAP {queued['offence']['article']}" + (
                f", {over:g} km/h over" if over is not None else ""
            )
        with self.reporter.step(name, "an inspector reviews, signs and confirms it") as step:
            await patiently(lambda: journey.violation(violation_id))
            decided = (await patiently(lambda: journey.decide(violation_id))).body["violation"]
            step.reference = violation_id
            step.result = (
                f"{decided['state']} by {decided['decision']['officer']}, signature stored"
            )
        self.numbers.setdefault("violations", []).append(violation_id)
        return violation_id

    async def _sample_report(self) -> Any:
        """A citizen's report with a drawn photograph, ready to be sent."""
        from tartip.reports.v1 import reports_pb2 as reports
        from tartip_scenes.scenes import draw_scene
        from tartip_scenes.streets import Signal

        from tartip_cli.clients.journeys import ReportToAnswer, open_report
        from tartip_cli.provision.vehicles import synthetic_iin

        rng = random.Random(self._next_seed())
        reporter = reports.Reporter(
            iin=synthetic_iin(rng), name="Sample Reporter", phone="+77000000001"
        )
        picture = (await asyncio.to_thread(draw_scene, self._next_seed(), signal=Signal.RED)).jpeg
        request = open_report(
            category=reports.CATEGORY_TRAFFIC_VIOLATION,
            text="Проехал на красный свет, пешеходы едва успели отойти.",
            reporter=reporter,
            address="Dostyk avenue, sample crossing",
        )
        return ReportToAnswer(self._mesh, request, picture)

    async def _report_to_answer(self) -> None:
        from tartip.reports.v1 import reports_pb2 as reports

        from tartip_cli.clients.journeys import Watcher, patiently, wait_for

        journey = await self._sample_report()
        name = "report to answer"
        watcher = Watcher(self._mesh)
        async with _background(watcher.run()):
            with self.reporter.step(name, "a citizen's app (egov) opens a report (gRPC)") as step:
                await patiently(journey.open)
                step.result, step.reference = "opened under the app's own id", journey.report_id
            with self.reporter.step(name, "the app uploads a photograph in pieces") as step:
                pieces = await journey.upload()
                step.result = f"{len(journey.picture) // 1024} KiB in {pieces} pieces"
                step.reference = journey.report_id
            with self.reporter.step(name, "the app submits it and gets a receipt") as step:
                receipt = await patiently(journey.submit)
                due = in_almaty(receipt.due_at.ToDatetime(tzinfo=dt.UTC))
                step.result = f"no. {receipt.number}, answer due by {due:%Y-%m-%d %H:%M} in Almaty"
                step.reference = self.numbers["report"] = receipt.number
            with self.reporter.step(name, "the report reaches its unit (REST)") as step:
                found = await wait_for("the report", journey.find_on_desk, seconds=_WAIT_SECONDS)
                step.result = f"unit {found.body['unit']}, photograph sealed as evidence"
                step.reference = receipt.number
            with self.reporter.step(name, "a dispatcher takes it and answers (REST)") as step:
                await patiently(lambda: journey.act("take"))
                answer = "Материалы переданы инспектору. Спасибо за сообщение."
                await patiently(
                    lambda: journey.act("answer", answer=answer, outcome="measures_taken")
                )
                step.result, step.reference = "answered in the report's language", receipt.number
            with self.reporter.step(name, "the app is notified and shows the answer") as step:
                change = await wait_for(
                    "the change of status",
                    lambda: watcher.saw(journey.report_id, reports.REPORT_STATUS_ANSWERED),
                    seconds=_WAIT_SECONDS,
                )
                report = await patiently(journey.report)
                if report.answer != answer:
                    raise Failure("the app got another answer", Exit.UNEXPECTED)
                heard = change.changed_at.ToDatetime(tzinfo=dt.UTC)
                step.result = f"answered at {heard:%H:%M:%S} UTC, the same text arrived"
                step.reference = receipt.number

    async def _figures(self) -> None:
        from tartip_cli.cli.step_reporter import money
        from tartip_cli.clients.journeys import patiently

        today = almaty_day(system_clock()).isoformat()
        desk = self._mesh.as_operator("finance-1")
        with self.reporter.step("figures", "finance reads the revenue of today (REST)") as step:
            figures = await patiently(
                lambda: desk.get("/v1/statistics/revenue", from_day=today, until_day=today)
            )
            total = figures.body["total"]
            step.trace_id = figures.trace_id or step.trace_id
            step.result = (
                f"{total['issued_count']} issued, {money(total['issued']['amount_minor'])}; "
                f"{total['paid_count']} paid, {money(total['collected']['amount_minor'])}; "
                f"books balance to {figures.body['imbalance_minor']}"
            )
            if figures.body["imbalance_minor"] != 0:
                raise Failure("the ledger does not balance", Exit.UNEXPECTED)

    def _next_seed(self) -> int:
        self._seed += 1
        return self._seed


@contextlib.asynccontextmanager
async def _background(work: Any) -> AsyncIterator[None]:
    """Run a coroutine while the block runs; errors are raised without an exception group."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work)
            try:
                yield
            finally:
                task.cancel()
    except BaseExceptionGroup as several:
        raise from_group(several) from several
