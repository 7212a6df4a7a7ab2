"""Golden probes: pictures with known content, sent through the live path at intervals."""
