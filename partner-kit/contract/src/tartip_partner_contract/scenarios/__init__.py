"""All scenarios, in the order in which they are played.

A theme is a module with a table `SCENARIOS`; a new theme is added to the list below.
"""

from tartip_partner_contract.scenario import Scenario
from tartip_partner_contract.scenarios import (
    certificates,
    following,
    handing_in,
    limits,
    uploads,
    webhooks,
)

SCENARIOS: tuple[Scenario, ...] = (
    *handing_in.SCENARIOS,
    *uploads.SCENARIOS,
    *limits.SCENARIOS,
    *following.SCENARIOS,
    *webhooks.SCENARIOS,
    *certificates.SCENARIOS,
)
