"""Client of Tartip for bank and eGov apps: hands citizens' reports in once, and follows them.

`ReportsClient` is for ordinary code, `AsyncReportsClient` for asyncio; both have the same methods.
Errors, all of them `TartipError`:

    TartipError
    ├── Refused             a named refusal: reason, wrong fields, texts in kk, ru and en, facts
    ├── NoAnswer            no answer within the overall limit: repeat with the same id
    ├── MessageTooLarge     the request is larger than gRPC lets through: never repeat it
    └── CertificateExpired  the client's own certificate has ended: nothing was sent
"""

from tartip_partner.aio import AsyncReportsClient
from tartip_partner.client import ReportsClient
from tartip_partner.errors import (
    CertificateExpired,
    MessageTooLarge,
    NoAnswer,
    Refused,
    TartipError,
    WrongField,
)
from tartip_partner.identity import Identity
from tartip_partner.ids import new_id
from tartip_partner.media import Media
from tartip_partner.retries import Retries
from tartip_partner.tokens import FileTokenStore, TokenStore

__all__ = [
    "AsyncReportsClient",
    "CertificateExpired",
    "FileTokenStore",
    "Identity",
    "Media",
    "MessageTooLarge",
    "NoAnswer",
    "Refused",
    "ReportsClient",
    "Retries",
    "TartipError",
    "TokenStore",
    "WrongField",
    "new_id",
]
