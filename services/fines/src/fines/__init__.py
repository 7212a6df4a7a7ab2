"""Fines: the amount owed for a confirmed violation, its legal dates, and the ledger of payments."""
