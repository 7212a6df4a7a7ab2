"""Stored evidence that is damaged: how it is found, known, published and seen repaired."""
