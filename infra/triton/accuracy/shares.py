"""Shares of successes among cases, with Wilson's 95 % confidence intervals."""

import math
from dataclasses import dataclass
from typing import Final, Self

Z: Final = 1.96


@dataclass(frozen=True, slots=True)
class Share:
    """The number `good` of successes among `of` cases.

    To add two shares is to add both numbers.
    """

    good: int = 0
    of: int = 0

    def __add__(self, other: Self) -> "Share":
        return Share(self.good + other.good, self.of + other.of)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % confidence interval of the share, as (lower, upper) from 0 to 1.

        It is (0, 1) if there are no cases.
        """
        if not self.of:
            return 0.0, 1.0
        share, square = self.good / self.of, Z**2
        middle = (share + square / 2 / self.of) / (1 + square / self.of)
        spread = math.sqrt(share * (1 - share) / self.of + square / 4 / self.of**2)
        reach = Z * spread / (1 + square / self.of)
        return max(0.0, middle - reach), min(1.0, middle + reach)

    def __str__(self) -> str:
        if not self.of:
            return "none to count"
        least, most = self.interval
        return f"{self.good} of {self.of} ({self.good / self.of:.1%}; {least:.1%} to {most:.1%})"
