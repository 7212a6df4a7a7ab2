"""The errors that are raised if a backup cannot be made, read or restored. The message of each
error contains a reason, such as BACKUP_DAMAGED."""

from __future__ import annotations

from tartip_cli.failures import Exit, Failure


class BackupRefused(Failure):
    """A `Failure` with a `reason`, such as BACKUP_CUT_OFF. Its message begins with the word
    "refused" and the reason."""

    def __init__(self, reason: str, message: str, code: Exit = Exit.REFUSED) -> None:
        super().__init__(f"refused, {reason}: {message}", code)
        self.reason = reason


def cut_off() -> BackupRefused:
    return BackupRefused(
        "BACKUP_CUT_OFF",
        "the end of the file is missing, so it is no whole backup; use another one",
        Exit.FINDINGS,
    )


def damaged(what: str) -> BackupRefused:
    return BackupRefused(
        "BACKUP_DAMAGED", f"{what}; use another copy of this backup", Exit.FINDINGS
    )


def wrong_key() -> BackupRefused:
    return BackupRefused(
        "BACKUP_KEY_WRONG", "this key or passphrase does not open the backup; give the right one"
    )
