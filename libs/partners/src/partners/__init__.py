"""Partners as rows of a service's schema: who may call, and what each partner may do."""
