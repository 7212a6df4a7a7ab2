"""Column encryption for personal data, with keys that can be destroyed, and blind indexes.

By its blind index, an encrypted value can be found without decrypting any of the stored values.
"""
