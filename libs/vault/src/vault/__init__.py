"""Keys, column encryption and blind indexes: erasing personal data and finding it encrypted."""
