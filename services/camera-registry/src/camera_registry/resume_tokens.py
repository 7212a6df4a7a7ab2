"""Resume tokens of the RPC WatchCameras: encrypted, and valid only for the same caller and region.

All replicas of the service encrypt resume tokens with the key of page tokens. Tokens are not
stored.
"""

import base64
import json
from uuid import UUID

from chassis.identity import Caller
from chassis.pages import KEY_CLASS
from cryptography.exceptions import InvalidTag
from vault.keyring import Keyring

from camera_registry.model.changes import Position, ResumeTokenWrong


class ResumeTokens:
    """Makes and reads resume tokens, with the service's key."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def make(self, position: Position, region: str, caller: Caller) -> str:
        """Return a token with which this caller can resume a stream of `region` at `position`."""
        content = [position.number, position.region, str(position.camera_id)]
        sealed = self._keyring.own_key(KEY_CLASS).seal(json.dumps(content), _place(region, caller))
        return base64.urlsafe_b64encode(sealed).decode()

    def read(self, token: str, region: str, caller: Caller) -> Position:
        """Return the position in a token.

        Raises ResumeTokenWrong if the token was altered, or made for another caller or region.
        """
        try:
            sealed = base64.b64decode(token, b"-_", validate=True)
            key = self._keyring.own_key(KEY_CLASS)
            number, last, camera_id = json.loads(key.open(sealed, _place(region, caller)))
            return Position(number, last, UUID(camera_id))
        except (ValueError, InvalidTag) as error:
            raise ResumeTokenWrong from error


def _place(region: str, caller: Caller) -> str:
    return f"WatchCameras {region} {caller.key}"
