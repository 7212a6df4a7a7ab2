"""What this service decides: one method, one decision, one visible transaction."""
