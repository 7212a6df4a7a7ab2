"""Evidence: encrypted, content-addressed; every read is audited first."""
