"""The embedded run of Tartip: real parts, one machine, one command (`tartip`)."""
