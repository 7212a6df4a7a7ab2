"""The use cases of the fines service. Each decision is one method and one transaction."""
