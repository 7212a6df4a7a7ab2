"""Golden probes: pictures of known truth that go through the live path again and again."""
