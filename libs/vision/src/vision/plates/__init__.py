"""Plates: candidates, crops for the readers, texts, plate forms, and votes over time."""
