"""Column encryption for personal data, with keys that can be destroyed, and blind indexes.

A blind index is a keyed hash, by which an encrypted value is found without decrypting any.
"""
