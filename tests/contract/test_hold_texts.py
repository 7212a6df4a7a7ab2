"""Every reason to hold something is told to officers in three languages."""

import re
from pathlib import Path

import pytest
from fines.model.holds import Hold
from law.guards import HoldReason
from violations.model import Hold as ViolationHold

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ROOT / "services/operator-gateway/src/operator_gateway/console/codes.js"


@pytest.mark.parametrize("reason", sorted({*HoldReason, *Hold, *ViolationHold} - {""}))
def test_every_hold_has_its_words(reason: str) -> None:
    words = re.findall(rf'"hold.{reason}": \["([^"]+)", "([^"]+)", "([^"]+)"\]', TEXTS.read_text())
    assert len(words) == 1 and len(set(words[0])) == 3
