"""The law as data and pure code, for every service that reckons with it."""
