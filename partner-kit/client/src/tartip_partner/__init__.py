"""Client of Tartip for bank and eGov apps: hands reports in once, follows them, and pays fines.

`ReportsClient` and `FinesClient` are for ordinary code, `AsyncReportsClient` and `AsyncFinesClient`
for asyncio, with the same methods.
Errors, all of them `TartipError`:

    TartipError
    ├── Refused             a named refusal: reason, wrong fields, texts in kk, ru and en, facts
    ├── MediaRefused        handed in, but some media were refused: it has the receipt
    ├── NoAnswer            no answer within the overall limit: repeat with the same id
    ├── MessageTooLarge     the request is larger than gRPC lets through: never repeat it
    ├── CertificateExpired  the client's own certificate has ended: nothing was sent
    ├── ClientClosed        the client was closed before the call, or during it
    └── WebhookRefused      a webhook that is not Tartip's, or too old
"""

from tartip_partner.aio_fines import AsyncFinesClient
from tartip_partner.aio_reports import AsyncReportsClient
from tartip_partner.errors import (
    CertificateExpired,
    ClientClosed,
    MediaRefused,
    MessageTooLarge,
    NoAnswer,
    Refused,
    TartipError,
    WrongField,
)
from tartip_partner.fines import FinesClient
from tartip_partner.identity import Identity
from tartip_partner.ids import new_id
from tartip_partner.media import Media
from tartip_partner.reasons import Again, KnownReason, known_reasons
from tartip_partner.report_flows import ids_sha256
from tartip_partner.reports import ReportsClient
from tartip_partner.retries import Retries
from tartip_partner.tokens import FileTokenStore, TokenStore
from tartip_partner.webhooks import Webhook, WebhookRefused, read_webhook

__all__ = [
    "Again",
    "AsyncFinesClient",
    "AsyncReportsClient",
    "CertificateExpired",
    "ClientClosed",
    "FileTokenStore",
    "FinesClient",
    "Identity",
    "KnownReason",
    "Media",
    "MediaRefused",
    "MessageTooLarge",
    "NoAnswer",
    "Refused",
    "ReportsClient",
    "Retries",
    "TartipError",
    "TokenStore",
    "Webhook",
    "WebhookRefused",
    "WrongField",
    "ids_sha256",
    "known_reasons",
    "new_id",
    "read_webhook",
]
