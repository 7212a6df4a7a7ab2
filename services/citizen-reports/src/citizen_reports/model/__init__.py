"""The rules: pure, without a clock, without I/O beyond the tables of law that ship with them."""
