"""All SQL statements of this service, and all encryption and decryption of personal data."""
