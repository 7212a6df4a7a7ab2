"""Which reports can be found by their text, and whether two texts may be about one incident.

For reports of domestic violence, of children and about officers (the classes PROTECTED and SEALED),
nothing is stored by which a text could be found or compared.
"""

from citizen_reports.model.categories import Category
from citizen_reports.model.routing import CLASSES, SecrecyClass

SEARCHED = (SecrecyClass.OPEN, SecrecyClass.PERSONAL)
SEARCHED_CATEGORIES = tuple(kind for kind, found in CLASSES.items() if found in SEARCHED)
# The least `likeness` of two texts that may be about one incident.
ALIKE = 0.5
# The least number of common stems; with fewer, texts such as "accident on Abai" would be alike.
SHARED_MIN = 3


def searched_class(category: Category) -> SecrecyClass | None:
    """Return the secrecy class whose key hashes the stems of reports of this category; None if
    these reports cannot be found by their text."""
    found = CLASSES[category]
    return found if found in SEARCHED else None


def likeness(own: int, other: int, shared: int) -> float:
    """Return the share of the stems of two texts that both have (Jaccard index), 0.0 to 1.0.

    `own` and `other` are the numbers of stems of the texts, `shared` that of their common stems.
    """
    every = own + other - shared
    return shared / every if every else 0.0


def are_alike(own: int, other: int, shared: int) -> bool:
    """Whether two texts may be about one incident; see `likeness` for the arguments."""
    return shared >= SHARED_MIN and likeness(own, other, shared) >= ALIKE
