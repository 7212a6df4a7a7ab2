"""The SQL statements of citizen-reports, with the encryption and decryption of personal data."""
