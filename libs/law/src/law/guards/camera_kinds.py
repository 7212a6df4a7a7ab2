"""Which rules a kind of camera may find. Kinds are those of the camera register, "SPEED_POINT"."""

from dataclasses import dataclass

from law.guards.readings import Rule

# They measure nothing, and no table may say otherwise.
FIND_NOTHING = frozenset({"OVERVIEW", "FACE", "BODY", "DRONE"})


@dataclass(frozen=True)
class CameraKinds:
    rules: dict[str, frozenset[Rule]]

    def may_find(self, kind: str, rule: Rule) -> bool:
        """A kind that the table does not name finds nothing."""
        return rule in self.rules.get(kind, frozenset())
