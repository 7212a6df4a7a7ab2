"""Which reports are found by their text, and when two texts are alike.

Of domestic violence, children and complaints about officers (the classes PROTECTED and SEALED)
nothing is kept by which a text could be found or compared.
"""

from citizen_reports.model.categories import Category
from citizen_reports.model.routing import CLASSES, SecrecyClass

SEARCHED = (SecrecyClass.OPEN, SecrecyClass.PERSONAL)
SEARCHED_CATEGORIES = tuple(kind for kind, found in CLASSES.items() if found in SEARCHED)
# Texts of which so large a share of stems is the same may be about one incident.
ALIKE = 0.5
# With fewer stems in common, texts such as "accident on Abai" would be alike.
SHARED_MIN = 3


def searched_class(category: Category) -> SecrecyClass | None:
    """Return the class with whose key the stems of a report of this category are hashed; None if
    its text is not found."""
    found = CLASSES[category]
    return found if found in SEARCHED else None


def likeness(own: int, other: int, shared: int) -> float:
    """Return which share of the stems of two texts both have (Jaccard), 0 to 1.

    `own` and `other` are how many stems each text has, `shared` how many both have.
    """
    every = own + other - shared
    return shared / every if every else 0.0


def are_alike(own: int, other: int, shared: int) -> bool:
    """Whether two texts may be about one incident; see `likeness` for the arguments."""
    return shared >= SHARED_MIN and likeness(own, other, shared) >= ALIKE
