"""Keys, column encryption and blind indexes, by which personal data is sealed, found and erased."""
