"""`tartip partners revoke-certificate`, `tartip officers` and `tartip devices`: revoke the
certificates of partners, officers and devices, and list those of officers and devices.

The revocations are written to files in the data folder. Running services read these files again
within a minute. The mesh need not run. A partner whose certificate is revoked stays registered. To
refuse the partner with any certificate, use `tartip partners revoke`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import read_settings

if TYPE_CHECKING:
    from tartip_cli.provision.certificates import Certificates

Reason = Annotated[
    str,
    typer.Option("--reason", help="Why; it is kept in the data folder: nothing about a person."),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Issue a new certificate with a new key at once.")
]


def register(app: App) -> None:
    officers = typer.Typer(
        help="The certificates with which officers sign decisions.", no_args_is_help=True
    )
    officers.command(name="list")(list_officers)
    officers.command(name="revoke")(revoke_officer)
    app.add_typer(officers, name="officers")
    devices = typer.Typer(
        help="The certificates with which devices at cameras send frames.", no_args_is_help=True
    )
    devices.command(name="list")(list_devices)
    devices.command(name="revoke")(revoke_device)
    app.add_typer(devices, name="devices")


def list_officers(as_json: AsJson = False) -> None:
    """List the certificates of officers with their dates of expiry, including revoked
    certificates."""
    _list("officer", as_json=as_json)


def list_devices(as_json: AsJson = False) -> None:
    """List the certificates of devices with their dates of expiry, including revoked
    certificates."""
    _list("device", as_json=as_json)


def _list(kind: str, *, as_json: bool) -> None:
    from tartip_cli.supervisor.certificates import certificate_states

    certificates = _certificates()
    states = [s for s in certificate_states(certificates) if s["name"].startswith(f"{kind}/")]
    revoked = [asdict(each) for each in certificates.revocations.revoked()]
    revoked = [each for each in revoked if each["kind"] == kind]
    if as_json:
        print_json({"certificates": states, "revoked": revoked})
        return
    table = Table()
    for header in (kind, "ends", "days left"):
        table.add_column(header)
    for state in states:
        days = state["days_left"]
        shown = "damaged" if days is None else f"{days:.1f}"
        table.add_row(state["name"].partition("/")[2], (state["ends"] or "")[:16], shown)
    console.print(table)
    for each in revoked:
        console.print(
            f"revoked: {each['name']}, {each['at'][:16]} by {each['by']}: {each['reason']}",
            highlight=False,
        )


def revoke_officer(
    operator_id: Annotated[str, typer.Argument(help="The officer's operator id.")],
    reason: Reason,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Revoke an officer's certificates: the violations service refuses new decisions that are
    signed with them.

    Earlier decisions stay valid.
    """
    _revoke("officer", operator_id, reason, replace=replace, as_json=as_json)


def revoke_device(
    name: Annotated[str, typer.Argument(help="The device's name, as in its certificate.")],
    reason: Reason,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Revoke a device's certificates, for instance after it was stolen: frames that are sent with
    them are refused.

    Frames that it sent before stay. The key with which it signs readings is one of its cameras in
    the register, and is changed there.
    """
    _revoke("device", name, reason, replace=replace, as_json=as_json)


def revoke_certificate(
    name: Annotated[str, typer.Argument(help="The partner's name, as in its certificate.")],
    reason: Reason,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Revoke a partner's certificates, for instance after its key was lost: all services refuse
    them.

    All certificates that were issued to the partner until now are revoked. With a new certificate,
    the partner can call again. --replace issues one, in this command or in a later one.
    """
    _revoke("partner", name, reason, replace=replace, as_json=as_json)


def _revoke(kind: str, name: str, reason: str, *, replace: bool, as_json: bool) -> None:
    if not reason.strip():
        raise Failure("--reason: say why, it is kept with the revocation", Exit.USAGE)
    certificates = _certificates()
    if not any((kind, name) == (found, other) for found, other, _ in certificates.leaves()):
        raise Failure(f"no certificate of the {kind} {name} is here", Exit.NOT_FOUND)
    revoked = certificates.revoke(kind, name, reason=reason.strip())
    files: dict[str, Any] = {}
    if replace:
        certificates.issue([(kind, name)])
        pair = certificates.pair(kind, name)
        files = {"files": {"certificate": str(pair.certificate), "key": str(pair.key)}}
    if as_json:
        print_json({"name": name, "revoked": [each.serial for each in revoked], **files})
        return
    console.print(
        f"{name}: {len(revoked)} certificates revoked; services refuse them within a minute",
        highlight=False,
    )
    for what, path in files.get("files", {}).items():
        console.print(f"{what}: {path}", highlight=False, soft_wrap=True)
    if not replace:
        console.print(hint("The same command with --replace issues a new one."))


def _certificates() -> Certificates:
    from tartip_cli.data_dir import DataDir
    from tartip_cli.provision.certificates import LEAF_LIFE, Certificates

    settings = read_settings()
    return Certificates(DataDir(settings.home).tls, settings.leaf_life or LEAF_LIFE)
