"""Keys, sealing and blind indexes: what erases a person and finds one without plain text."""
