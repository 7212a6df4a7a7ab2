"""Citizens' reports: an app submits a report once; it is routed, and answered by a deadline."""
