"""The exception raised when a table of law has no entry for the year in question."""

from chassis.refusals import Kind, Refusal


class TableYearMissing(Refusal):
    """A table of law ("calendar", "base_values") lacks the year that a decision needs."""

    kind = Kind.UNAVAILABLE
    code = "TABLE_YEAR_MISSING"

    def __init__(self, table: str, year: int) -> None:
        super().__init__(facts={"table": table, "year": str(year)})
        self.table = table
        self.year = year
