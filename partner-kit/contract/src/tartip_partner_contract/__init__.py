"""Plays Tartip for a bank's own adapter, and says by name where the adapter is not safe against it.

The bank writes five HTTP verbs around its adapter (README.md). The kit configures the adapter with
the address of a gRPC server of its own, lets the adapter hand reports in and follow them, loses
answers, cuts connections and refuses calls meanwhile, and then compares what arrived.
"""
