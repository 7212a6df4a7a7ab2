"""Fines: what is owed for a confirmed violation, until when, and the ledger of what was paid."""
