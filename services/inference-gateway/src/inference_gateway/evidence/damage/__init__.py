"""The rows and the event of stored evidence that is damaged."""
