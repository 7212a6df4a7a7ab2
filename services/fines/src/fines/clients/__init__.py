"""Adapters of what lies outside: the violations service, the vehicle register, the post, the seal.

The embedded register is a file and the embedded post a folder. Adapters of the state's own systems
will implement the same protocols.
"""
