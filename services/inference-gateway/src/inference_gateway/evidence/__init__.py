"""Evidence: sealed, content-addressed, read after an audit entry."""
