"""Storage of evidence, encrypted and content-addressed; every read is audited before content is
sent."""
