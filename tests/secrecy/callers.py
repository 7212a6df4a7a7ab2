"""Who asks: every role in two regions, officers in every relation to a complaint, apps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .planted import ALMATY, ASTANA, Officer, Planted
from .table import Surface, Table

SECURITY = "internal_security"
EVERYWHERE = ("*",)
# Every role that an officer could be given besides internal security.
OTHER_ROLES = ("auditor", "dispatcher", "inspector", "supervisor")
OF_NO_REGION = (
    "camera_administrator",
    "finance",
    "partner_administrator",
    "personnel_administrator",
    "watchlist_officer",
)


@dataclass(frozen=True)
class Caller:
    """A caller: an operator with roles and regions, a partner, a device or a service."""

    name: str
    kind: str = "operator"
    log_in: str = ""
    roles: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()

    def may_call(self, surface: Surface) -> bool:
        if self.kind == "operator":
            return bool(surface.asks & set(self.roles))
        if self.kind == "partner":
            return any(who.startswith("partner with") for who in surface.asks)
        return ("device" if self.kind == "device" else f"service {self.name}") in surface.asks

    def parts_of(self, report: Planted, table: Table) -> frozenset[str]:
        """Return the parts of a report that the table gives this caller."""
        if self.kind != "operator":
            role = f"service {self.name}" if self.kind == "service" else self.kind
            if self.kind == "partner":
                role = "own_partner" if self.name == report.partner else "another_partner"
            return table.parts_seen(role, report.kind, "", "")
        if not {report.region, "*"} & set(self.regions):
            return frozenset()
        standing = report.standing.get(self.log_in, self._standing)
        found = frozenset[str]().union(
            *(table.parts_seen(role, report.kind, standing, report.stage) for role in self.roles)
        )
        # Who may open the clean form is shown that one unless he asks for the other.
        return found - {"blurred"} if "media" in found else found

    def may_see(self, part: str, table: Table) -> bool:
        """Whether one of the caller's roles may see this part, which is of no report."""
        return bool(set(table.others[part]["roles"]) & {*self.roles, self.name})

    @property
    def _standing(self) -> str:
        return "outside" if self.log_in.startswith("walk-") else "without_posting"


def every_caller(officers: Mapping[str, Officer]) -> Iterator[Caller]:
    """Yield all callers of a walk; officers are given by the end of their log-ins."""
    for region, place in ((ALMATY, "here"), (ASTANA, "elsewhere")):
        for role in ("dispatcher", "supervisor", "inspector", "auditor", SECURITY):
            yield _operator(f"{role} {place}", (role,), (region,))
    for role in OF_NO_REGION:
        yield _operator(role, (role,), EVERYWHERE)
    yield _operator("inspector and internal security", ("inspector", SECURITY), EVERYWHERE)
    for end, officer in officers.items():
        yield Caller(end, "operator", officer.log_in, (SECURITY,), EVERYWHERE)
    subject, outside = officers["subject"], officers["outside"]
    yield Caller("outside in Astana", "operator", outside.log_in, (SECURITY,), (ASTANA,))
    yield Caller("subject at the desk", "operator", subject.log_in, OTHER_ROLES, EVERYWHERE)
    every_role = (SECURITY, *OTHER_ROLES, *OF_NO_REGION)
    yield Caller("subject in every role", "operator", subject.log_in, every_role, EVERYWHERE)
    for name in ("egov", "kaspi", "halyk"):
        yield Caller(name, "partner")
    yield Caller("violations", "service")
    yield Caller("edge-1", "device")


def _operator(name: str, roles: tuple[str, ...], regions: tuple[str, ...]) -> Caller:
    return Caller(name, "operator", name.replace(" ", "-"), roles, regions)
