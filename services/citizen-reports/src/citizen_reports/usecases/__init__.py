"""The use cases of reports: a method and a transaction for each decision."""
