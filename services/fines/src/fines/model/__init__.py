"""The rules of a fine: pure, without a clock, a database or a network."""
