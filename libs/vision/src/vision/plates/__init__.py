"""Number plates: detection, crops for reading, texts, plate forms, and votes over time."""
