"""Between the CameraFunctions message and the model: reads all rules, tells all that is wrong."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chassis.refusals import Checks
from tartip.inference.v1 import functions_pb2 as pb
from vision.objects import COCO_LABELS

from inference_gateway.functions.model import DEFAULT, CameraFunctions
from inference_gateway.functions.reading import Reader
from inference_gateway.functions.registry import KINDS
from inference_gateway.limits import Urgency

RULES_MAX: Final = 20
OUTSIDE_MODELS_MAX: Final = 4
OWN_LABELS: Final = frozenset(COCO_LABELS.values())
URGENCIES: Final = {
    pb.URGENCY_UNSPECIFIED: Urgency.NORMAL,
    pb.URGENCY_LOW: Urgency.LOW,
    pb.URGENCY_NORMAL: Urgency.NORMAL,
    pb.URGENCY_URGENT: Urgency.URGENT,
}


def canonical(told: pb.CameraFunctions) -> bytes:
    return told.SerializeToString(deterministic=True)


def message_of(content: bytes) -> pb.CameraFunctions:
    """Of what is kept; the default where nothing is."""
    return pb.CameraFunctions.FromString(content) if content else default_message()


def default_message() -> pb.CameraFunctions:
    assert DEFAULT.plates and not DEFAULT.faces and not DEFAULT.over_time
    return pb.CameraFunctions(urgency=pb.URGENCY_NORMAL, plates=pb.PlateFunction())


def read_functions(
    check: Checks, told: pb.CameraFunctions, outside: Mapping[str, Iterable[str]]
) -> CameraFunctions:
    """Adds every wrong field; `outside` are the labels of the outside models that there are."""
    check.that(told.urgency in URGENCIES, "functions.urgency", "a known urgency")
    _check_models(check, tuple(told.outside_models), outside)
    labels = OWN_LABELS.union(*(outside.get(name, ()) for name in told.outside_models))
    return CameraFunctions(
        URGENCIES.get(told.urgency, Urgency.NORMAL),
        told.HasField("plates"),
        told.HasField("faces"),
        {kind.field: _rules(check, told, kind.field, labels) for kind in KINDS},
        tuple(told.outside_models),
    )


def kept_functions(content: bytes) -> CameraFunctions:
    """Of what was let in once: labels of models that are gone since are let stand."""
    told, check = message_of(content), Checks()
    anything = [label for zone in told.zones for label in zone.labels]
    anything += [label for line in told.lines for label in line.labels]
    return read_functions(check, told, dict.fromkeys(told.outside_models, anything))


def _rules(
    check: Checks, told: pb.CameraFunctions, field: str, labels: frozenset[str]
) -> tuple[Any, ...]:
    [kind] = [kind for kind in KINDS if kind.field == field]
    repeated = told.DESCRIPTOR.fields_by_name[field].is_repeated
    messages = list(getattr(told, field)) if repeated else _single(told, field)
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


def _single(told: pb.CameraFunctions, field: str) -> list[Any]:
    return [getattr(told, field)] if told.HasField(field) else []  # type: ignore[arg-type]


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
