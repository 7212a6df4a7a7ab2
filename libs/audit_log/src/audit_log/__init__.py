"""The audit log of a service: sealed into a signed Merkle tree, read by auditors, proved."""
