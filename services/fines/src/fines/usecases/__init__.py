"""The use cases of this service: a method and a transaction for each decision."""
