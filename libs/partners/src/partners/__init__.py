"""Partners, such as banks and apps: which of them may call a service, and what each may do.

Each service stores its partners as rows of a table in its own schema.
"""
