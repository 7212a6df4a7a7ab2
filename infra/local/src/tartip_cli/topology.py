"""The services of the mesh (see `docs/ARCHITECTURE.md`): their packages, database schemas, ports.

Ports, database roles, certificates, credentials and the start order are derived from the list of
services.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service of the mesh. Its port is the base port plus `port_offset`.

    The operator gateway has no database, and its port is configured separately. Its `schema` and
    `port_offset` are therefore None.
    """

    name: str
    package: str
    schema: str | None
    port_offset: int | None
    has_desk: bool = False
    """Whether the calls of its desk have a log-in of their own (`host.databases`)."""

    @property
    def address_variable(self) -> str:
        return f"TARTIP_{self.package.upper()}_ADDRESS"


CAMERA_REGISTRY = Service(
    name="camera-registry",
    package="camera_registry",
    schema="camera_registry",
    port_offset=1,
)
INFERENCE_GATEWAY = Service(
    name="inference-gateway",
    package="inference_gateway",
    schema="inference",
    port_offset=2,
)
VIOLATIONS = Service(
    name="violations",
    package="violations",
    schema="violations",
    port_offset=3,
)
FINES = Service(
    name="fines",
    package="fines",
    schema="fines",
    port_offset=4,
)
CITIZEN_REPORTS = Service(
    name="citizen-reports",
    package="citizen_reports",
    schema="citizen_reports",
    port_offset=5,
    has_desk=True,
)
OPERATOR_GATEWAY = Service(
    name="operator-gateway",
    package="operator_gateway",
    schema=None,
    port_offset=None,
)

SERVICES = (
    CAMERA_REGISTRY,
    INFERENCE_GATEWAY,
    VIOLATIONS,
    FINES,
    CITIZEN_REPORTS,
    OPERATOR_GATEWAY,
)
# The services that partners call; each has partners as rows of its own.
PARTNER_SERVICES = (FINES, CITIZEN_REPORTS)
GRPC_SERVICES = tuple(service for service in SERVICES if service.port_offset is not None)
SCHEMAS = tuple(service.schema for service in SERVICES if service.schema is not None)
DESK_SCHEMAS = tuple(service.schema for service in SERVICES if service.has_desk)

PARTNERS = ("egov", "kaspi", "halyk", "eurasian")
DEVICES = ("edge-1",)
COMMAND_LINE = "tartip-cli"
COUNTRY_DISPATCHER, COUNTRY_SUPERVISOR = "dispatcher-country", "supervisor-country"


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A made-up operator, to whom the development token issuer issues tokens. The region "*" means
    all regions."""

    id: str
    name: str
    roles: tuple[str, ...]
    regions: tuple[str, ...]


# Made-up people: the development token issuer issues tokens for these only.
OPERATORS = (
    Operator(
        id="inspector-almaty", name="Asel Inspector", roles=("inspector",), regions=("KZ-75",)
    ),
    Operator(
        id="inspector-astana", name="Daniyar Inspector", roles=("inspector",), regions=("KZ-71",)
    ),
    Operator(
        id="dispatcher-almaty", name="Aigul Dispatcher", roles=("dispatcher",), regions=("KZ-75",)
    ),
    Operator(
        id="supervisor-almaty", name="Marat Supervisor", roles=("supervisor",), regions=("KZ-75",)
    ),
    # The desk of a sandbox, for reports of all regions.
    Operator(id=COUNTRY_DISPATCHER, name="Dana Dispatcher", roles=("dispatcher",), regions=("*",)),
    Operator(id=COUNTRY_SUPERVISOR, name="Arman Supervisor", roles=("supervisor",), regions=("*",)),
    Operator(id="security-1", name="Saule Security", roles=("internal_security",), regions=("*",)),
    Operator(id="security-2", name="Bolat Security", roles=("internal_security",), regions=("*",)),
    Operator(
        id="personnel-1",
        name="Zhanar Personnel",
        roles=("personnel_administrator",),
        regions=("*",),
    ),
    Operator(id="cameras-1", name="Timur Cameras", roles=("camera_administrator",), regions=("*",)),
    Operator(id="finance-1", name="Zarina Finance", roles=("finance",), regions=("*",)),
    Operator(
        id="watchlist-1", name="Nurlan Watchlist", roles=("watchlist_officer",), regions=("*",)
    ),
    # A watch-list entry and its candidates need three different people.
    Operator(
        id="watchlist-2", name="Ainur Watchlist", roles=("watchlist_officer",), regions=("*",)
    ),
    Operator(
        id="watchlist-3", name="Yerlan Watchlist", roles=("watchlist_officer",), regions=("*",)
    ),
    Operator(
        id="watchlist-astana",
        name="Dina Watchlist",
        roles=("watchlist_officer",),
        regions=("KZ-71",),
    ),
    Operator(
        id="partners-1", name="Gulnar Partners", roles=("partner_administrator",), regions=("*",)
    ),
    Operator(id="auditor-1", name="Madina Auditor", roles=("auditor",), regions=("*",)),
)


# The units to which made-up operators are posted, with made-up family names. Those of internal
# security see complaints about officers only because of their posting.
POSTINGS = {
    "security-1": ("internal-security", "Nurpeisova"),
    "security-2": ("inspectorate", "Akhmetov"),
    "dispatcher-almaty": ("KZ-75-duty", "Serikova"),
    "supervisor-almaty": ("KZ-75", "Ospanov"),
    "inspector-almaty": ("KZ-75-traffic", "Zhumabekova"),
    "inspector-astana": ("KZ-71-traffic", "Kairatov"),
}
TRIAL_OFFICERS = ";".join(
    f"{operator.id}:{':'.join(POSTINGS[operator.id])}:{operator.name.partition(' ')[0]}"
    for operator in OPERATORS
    if operator.id in POSTINGS
)


def service_named(name: str) -> Service:
    return next(service for service in SERVICES if service.name == name)


def operator_with(operator_id: str) -> Operator | None:
    return next((operator for operator in OPERATORS if operator.id == operator_id), None)
