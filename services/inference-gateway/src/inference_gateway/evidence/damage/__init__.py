"""Damage of stored evidence: its database tables and its event."""
