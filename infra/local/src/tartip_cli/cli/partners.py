"""`tartip partners`: lists, adds, changes and revokes partners (banks and apps) at the running
services. A partner's terms say what it may call and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tartip_cli.cli.console import App, AsJson, console, hint, print_json
from tartip_cli.cli.partner_day import day
from tartip_cli.cli.revoking import revoke_certificate
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import read_settings

if TYPE_CHECKING:
    from tartip.partners.v1 import partners_pb2 as pb

    from tartip_cli.clients.partner_rows import Decide, Outcome

_ALL = "all"
_QUOTA = ("calls", "calls_per_second", "streams", "bytes_per_second")
_DETAILS = ("contact", "callback_url", "languages", "witness_key")

Name = Annotated[str, typer.Argument(help="The partner's name, as in its certificate.")]
Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", help="reports, payments, look_ups or witness; may be repeated."),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind", help='A kind of report that it may hand in; may be repeated; "all" for all kinds.'
    ),
]
Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--quota",
        help=f"LIMIT=NUMBER in each process, LIMIT one of {', '.join(_QUOTA)}; "
        "LIMIT=default takes the default back; may be repeated.",
    ),
]
Details = Annotated[
    list[str] | None,
    typer.Option(
        "--detail", help=f"NAME=TEXT, NAME one of {', '.join(_DETAILS)}; may be repeated."
    ),
]


def register(app: App) -> None:
    group = typer.Typer(
        help="Partners (banks, apps): what each may do, at fines and citizen-reports.",
        no_args_is_help=True,
    )
    group.command(name="list")(list_partners)
    for command in (show, add, change, revoke):
        group.command()(command)
    group.command(name="revoke-certificate")(revoke_certificate)
    group.command()(day)
    app.add_typer(group, name="partners")


def list_partners(as_json: AsJson = False) -> None:
    """List all partners with their terms at each service that partners call."""
    found, refused = asyncio.run(_list())
    if as_json:
        print_json({"partners": [_listed_shape(name, known) for name, known in found.items()]})
    elif found:
        console.print(_table(found))
    elif not refused:
        console.print(hint("No partner: `tartip partners add NAME --scope …` adds one."))
    _fail_where_refused(refused)


def show(name: Name, as_json: AsJson = False) -> None:
    """Show a partner's terms at each service that partners call."""
    from tartip_cli.clients.partner_rows import shown

    outcomes = asyncio.run(_at_each(shown(name)))
    if as_json:
        print_json({"name": name, "services": [_shape(outcome) for outcome in outcomes]})
    else:
        known = {each.service: each.partner for each in outcomes if each.partner}
        if known:
            console.print(_table({name: known}))
    _fail_where_refused(outcomes)


def add(
    name: Name,
    scopes: Scopes = None,
    kinds: Kinds = None,
    quota: Limits = None,
    details: Details = None,
    as_json: AsJson = False,
) -> None:
    """Add a partner at both services that partners call, and issue its certificate.

    If one of the services failed, repeat the command: what is already done stays unchanged.
    """
    from tartip.partners.v1 import partners_pb2 as pb

    from tartip_cli.clients.partner_rows import added

    terms = pb.PartnerTerms()
    _edit(terms, scopes, kinds, quota, details)
    outcomes = asyncio.run(_at_each(added(name, terms)))
    files = _certificate(name) if any(outcome.partner for outcome in outcomes) else {}
    _report(name, outcomes, files, as_json=as_json)


def change(
    name: Name,
    scopes: Scopes = None,
    kinds: Kinds = None,
    quota: Limits = None,
    details: Details = None,
    as_json: AsJson = False,
) -> None:
    """Change a partner's terms. Terms that are not given stay as they are.

    If scopes are given, they replace all earlier scopes. The same is true of kinds.
    """
    from tartip.partners.v1 import partners_pb2 as pb

    from tartip_cli.clients.partner_rows import changed

    def edit(terms: pb.PartnerTerms) -> None:
        _edit(terms, scopes, kinds, quota, details)

    edit(pb.PartnerTerms())  # what is wrong is said before anything is changed
    outcomes = asyncio.run(_at_each(changed(name, edit)))
    _report(name, outcomes, {}, as_json=as_json)


def revoke(
    name: Name,
    reason: Annotated[
        str, typer.Option("--reason", help="Why, for the audit log; nothing about a person.")
    ],
    as_json: AsJson = False,
) -> None:
    """Refuse all calls of a partner from now on. To allow them again, use `add`."""
    from tartip_cli.clients.partner_rows import revoked

    outcomes = asyncio.run(_at_each(revoked(name, reason)))
    _report(name, outcomes, {}, as_json=as_json)


async def _at_each(decide: Decide) -> list[Outcome]:
    from tartip_cli.clients.partner import outside
    from tartip_cli.clients.partner_rows import at_each
    from tartip_cli.clients.traces import traced

    settings = read_settings()
    async with outside(settings) as mesh:
        with traced(*settings.exports_to(mesh.otlp_endpoint)):
            return await at_each(mesh, decide)


async def _list() -> tuple[dict[str, dict[str, pb.Partner]], list[Outcome]]:
    from tartip_cli.clients.partner import outside
    from tartip_cli.clients.partner_rows import listed

    async with outside(read_settings()) as mesh:
        return await listed(mesh)


def _edit(
    terms: pb.PartnerTerms,
    scopes: list[str] | None,
    kinds: list[str] | None,
    quota: list[str] | None,
    details: list[str] | None,
) -> None:
    """Write what was given into `terms`. Raises Failure that names what is not known."""
    from tartip_cli.clients.partner_rows import KINDS, SCOPES

    if scopes:
        terms.scopes[:] = _numbers("--scope", scopes, SCOPES)
    if kinds:
        terms.kinds[:] = [] if kinds == [_ALL] else _numbers("--kind", kinds, KINDS)
    for name, value in _pairs("--quota", quota or [], _QUOTA):
        terms.quota.ClearField(name)  # type: ignore[arg-type]  # one of _QUOTA
        if value != "default":
            _limit(terms.quota, name, value)
    for name, value in _pairs("--detail", details or [], _DETAILS):
        if name == "languages":
            terms.languages[:] = [language for language in value.split(",") if language]
        elif name == "witness_key":
            terms.witness_key = _key(value)
        else:
            setattr(terms, name, value)


def _key(text: str) -> bytes:
    """The public key in hexadecimal digits."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Failure("--detail witness_key: must be hexadecimal digits", Exit.USAGE) from None


def _numbers(option: str, given: list[str], known: Mapping[str, int]) -> list[Any]:
    """The numbers of names, each once and in order."""
    wrong = [name for name in given if name not in known]
    if wrong:
        raise Failure(
            f"{option} {', '.join(wrong)}: there is {', '.join(known)}, nothing else", Exit.USAGE
        )
    return sorted({known[name] for name in given})


def _pairs(option: str, given: list[str], known: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            raise Failure(
                f"{option} {text}: must be NAME=VALUE with one of {', '.join(known)}", Exit.USAGE
            )
        pairs.append((name, value))
    return pairs


def _limit(quota: pb.PartnerQuota, name: str, text: str) -> None:
    try:
        setattr(quota, name, float(text) if name == "calls_per_second" else int(text))
    except ValueError as error:
        raise Failure(f"--quota {name}={text}: must be a number, or default", Exit.USAGE) from error


def _certificate(name: str) -> dict[str, str]:
    """Issue the partner's certificate unless there is one; the paths of its files that are here."""
    from tartip_cli.data_dir import DataDir
    from tartip_cli.provision.certificates import Certificates

    certificates = Certificates(DataDir(read_settings().home).tls)
    certificates.issue_partner(name)
    pair = certificates.partner(name)
    files = {"certificate": pair.certificate, "key": pair.key, "authority": certificates.authority}
    return {what: str(path) for what, path in files.items() if path.exists()}


def _report(name: str, outcomes: list[Outcome], files: dict[str, str], *, as_json: bool) -> None:
    """Print what was done. Raises Failure if a service refused or was away."""
    if as_json:
        services = [_shape(outcome) for outcome in outcomes]
        print_json({"name": name, "services": services, **({"files": files} if files else {})})
    else:
        for outcome in outcomes:
            if outcome.partner:
                console.print(
                    f"{outcome.service}: {outcome.done} (version {outcome.partner.version})",
                    highlight=False,
                )
        for what, path in files.items():
            console.print(f"{what}: {path}", highlight=False, soft_wrap=True)
    half_done = any(outcome.partner for outcome in outcomes)
    _fail_where_refused(outcomes, "the same command completes what is missing" if half_done else "")


def _fail_where_refused(outcomes: list[Outcome], advice: str = "") -> None:
    """Raise Failure that names each service that refused, and then says what to do."""
    lines = []
    for outcome in outcomes:
        if refusal := outcome.refusal:
            wrong = "".join(f"\n  {field.field}: {field.description}" for field in refusal.fields)
            lines.append(
                f"{outcome.service} refused, {refusal.reason}: {refusal.message.en}{wrong}"
            )
    if lines:
        raise Failure("; ".join([*lines, advice] if advice else lines), Exit.REFUSED)


def _listed_shape(name: str, known: dict[str, pb.Partner]) -> dict[str, Any]:
    services = [{"service": service, **_partner(each)} for service, each in known.items()]
    return {"name": name, "services": services}


def _shape(outcome: Outcome) -> dict[str, Any]:
    """An outcome in the form that --json prints."""
    if outcome.refusal is not None:
        return {"service": outcome.service, "refused": outcome.refusal.reason}
    assert outcome.partner is not None
    return {"service": outcome.service, "done": outcome.done, **_partner(outcome.partner)}


def _partner(partner: pb.Partner) -> dict[str, Any]:
    from tartip_cli.clients.partner_rows import kind_names, quota_of, scope_names

    terms = partner.terms
    return {
        "scopes": scope_names(terms),
        "kinds": kind_names(terms),
        "quota": quota_of(terms),
        "contact": terms.contact,
        "callback_url": terms.callback_url,
        "languages": list(terms.languages),
        "witness_key": terms.witness_key.hex(),
        "version": partner.version,
        "changed_at": partner.changed_at.ToJsonString(),
        "changed_by": partner.changed_by,
        "revoked_at": partner.revoked_at.ToJsonString() if partner.HasField("revoked_at") else None,
    }


def _table(found: dict[str, dict[str, pb.Partner]]) -> Table:
    """A row for each partner and service; what is the default stays empty."""
    table = Table()
    table.add_column("partner", no_wrap=True)
    for header in ("service", "scopes", "kinds", "quota", "contact", "revoked"):
        table.add_column(header, overflow="fold")
    for name, known in found.items():
        for service, each in known.items():
            told = _partner(each)
            table.add_row(
                name,
                service,
                ", ".join(told["scopes"]),
                ", ".join(told["kinds"]) or _ALL,
                ", ".join(f"{limit} {value:g}" for limit, value in told["quota"].items()),
                told["contact"],
                (told["revoked_at"] or "")[:16].replace("T", " "),
            )
    return table
