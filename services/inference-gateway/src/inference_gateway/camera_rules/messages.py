"""Parses the protobuf message CameraFunctions to objects of the model; all wrong fields are
reported together."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chassis.refusals import Checks
from tartip.inference.v1 import functions_pb2 as pb
from vision.objects import COCO_LABELS

from inference_gateway.admission import Urgency
from inference_gateway.camera_rules.model import DEFAULT, CameraFunctions
from inference_gateway.camera_rules.reader import Reader
from inference_gateway.camera_rules.registry import KINDS

RULES_MAX: Final = 20
OUTSIDE_MODELS_MAX: Final = 4
OWN_LABELS: Final = frozenset(COCO_LABELS.values())
URGENCIES: Final = {
    pb.URGENCY_UNSPECIFIED: Urgency.NORMAL,
    pb.URGENCY_LOW: Urgency.LOW,
    pb.URGENCY_NORMAL: Urgency.NORMAL,
    pb.URGENCY_URGENT: Urgency.URGENT,
}


def canonical(configured: pb.CameraFunctions) -> bytes:
    return configured.SerializeToString(deterministic=True)


def message_of(content: bytes) -> pb.CameraFunctions:
    """Parse the stored bytes of a camera's configuration; empty bytes give the default
    configuration."""
    return pb.CameraFunctions.FromString(content) if content else default_message()


def default_message() -> pb.CameraFunctions:
    assert DEFAULT.plates and not DEFAULT.faces and not DEFAULT.over_time
    return pb.CameraFunctions(urgency=pb.URGENCY_NORMAL, plates=pb.PlateFunction())


def read_functions(
    check: Checks, configured: pb.CameraFunctions, outside: Mapping[str, Iterable[str]]
) -> CameraFunctions:
    """Convert a configuration message. Every wrong field is added to `check`; the result is valid
    only if none was added. `outside` maps the name of each served external object model to its
    labels."""
    check.that(configured.urgency in URGENCIES, "functions.urgency", "a known urgency")
    _check_models(check, tuple(configured.outside_models), outside)
    labels = OWN_LABELS.union(*(outside.get(name, ()) for name in configured.outside_models))
    return CameraFunctions(
        URGENCIES.get(configured.urgency, Urgency.NORMAL),
        configured.HasField("plates"),
        configured.HasField("faces"),
        {kind.field: _rules(check, configured, kind.field, labels) for kind in KINDS},
        tuple(configured.outside_models),
    )


def stored_functions(content: bytes) -> CameraFunctions:
    """Parse the stored configuration of a camera. Labels of models that are no longer served are
    accepted."""
    configured, check = message_of(content), Checks()
    anything = [label for zone in configured.zones for label in zone.labels]
    anything += [label for line in configured.lines for label in line.labels]
    return read_functions(check, configured, dict.fromkeys(configured.outside_models, anything))


def _rules(
    check: Checks, configured: pb.CameraFunctions, field: str, labels: frozenset[str]
) -> tuple[Any, ...]:
    [kind] = [kind for kind in KINDS if kind.field == field]
    repeated = configured.DESCRIPTOR.fields_by_name[field].is_repeated
    messages = list(getattr(configured, field)) if repeated else _single(configured, field)
    if len(messages) > RULES_MAX:
        check.wrong(f"functions.{field}", f"at most {RULES_MAX}", code="RULE_UNUSABLE")
        return ()
    rules, names = [], set[str]()
    for place, message in enumerate(messages):
        path = f"functions.{field}[{place}]" if repeated else f"functions.{field}"
        reader = Reader(check, path, labels)
        rules.append(kind.read(reader, message))
        if names & set(reader.names):
            reader.unusable("", "its name is another rule's of this function")
        names |= set(reader.names)
    return tuple(rules)


def _single(configured: pb.CameraFunctions, field: str) -> list[Any]:
    return [getattr(configured, field)] if configured.HasField(field) else []  # type: ignore[arg-type]


def _check_models(
    check: Checks, named: tuple[str, ...], outside: Mapping[str, Iterable[str]]
) -> None:
    field = "functions.outside_models"
    if len(named) > OUTSIDE_MODELS_MAX or len(set(named)) < len(named):
        check.wrong(field, f"at most {OUTSIDE_MODELS_MAX}, each once", code="RULE_UNUSABLE")
    for place, name in enumerate(named):
        if name not in outside:
            known = ", ".join(sorted(outside)) or "none"
            check.wrong(
                f"{field}[{place}]",
                f"no such model is served; those that are: {known}",
                code="MODEL_UNKNOWN",
            )
