"""All checks of a service's records, which `CheckRecords` runs a page at a time."""

from chassis.transaction import Tx
from vault.keyring import Keyring

from audit_log.records import (
    Checked,
    check_entries,
    check_leaves,
    check_waiting,
    event_check,
    key_check,
)
from audit_log.rules import AuditRules
from audit_log.work_checks import awaited_check, inbox_check, work_check


class RecordChecks:
    """Runs all checks of one service's records, one table after the other."""

    def __init__(self, rules: AuditRules, keyring: Keyring) -> None:
        self._checks = (
            *(check_entries, check_leaves, check_waiting),
            *(event_check(keyring), key_check(rules.unrecorded_keys)),
            *(work_check(keyring), inbox_check(keyring), awaited_check(rules.awaited)),
        )

    async def page(
        self, tx: Tx, after: tuple[str, ...], size: int
    ) -> tuple[Checked, list[tuple[str, ...]]]:
        """Check the rows after the sort key `after`, or from the first row if it is ().

        Checks up to `size` rows of a table. If the table has fewer, continues with the next table.
        Returns what was found, and the sort keys of the rows of the last table checked. To
        continue, pass the last of these keys as `after`. If all tables are done, there are no keys.
        """
        first, key = (int(after[0]), after[1]) if after else (0, "")
        found = Checked()
        for number in range(first, len(self._checks)):
            part = await self._checks[number](tx, key, size)
            found.faults += part.faults
            found.published += part.published
            if len(part.keys) >= size:
                return found, [(str(number), key) for key in part.keys]
            key = ""
        return found, []
