"""The law as data tables and pure functions, for all services that apply it."""
