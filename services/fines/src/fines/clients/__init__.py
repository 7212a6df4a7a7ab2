"""Adapters of the violations service, the vehicle register, the post and the electronic seal.

The embedded register is a file and the embedded post a folder. Adapters of the state's own systems
will implement the same protocols.
"""
