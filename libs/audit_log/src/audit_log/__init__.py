"""The audit log of a service: a signed Merkle tree of entries, with RPCs to read and prove them."""
