"""All SQL statements of this service."""
