"""The offences that each kind of camera may detect; the camera register defines the kinds."""

from dataclasses import dataclass

from law.guards.readings import Rule

# Kinds that measure nothing; a table that gives them a rule does not load.
FIND_NOTHING = frozenset({"OVERVIEW", "FACE", "BODY", "DRONE"})


@dataclass(frozen=True)
class CameraKinds:
    """The offences (`Rule`) that a camera may detect, by the name of the kind of camera."""

    rules: dict[str, frozenset[Rule]]

    def may_find(self, kind: str, rule: Rule) -> bool:
        """Whether a kind of camera may detect this offence; False for an unknown kind."""
        return rule in self.rules.get(kind, frozenset())

    def measures_speed(self, kind: str) -> bool:
        """Whether a kind of camera measures speed; False for an unknown kind. A device that
        measures speed must be type-approved and verified (KoAP 822-1)."""
        return self.may_find(kind, Rule.SPEED)
