"""Column encryption for personal data, with keys that can be destroyed, and blind indexes.

A blind index of a value makes it possible to find an encrypted value without decrypting any.
"""
