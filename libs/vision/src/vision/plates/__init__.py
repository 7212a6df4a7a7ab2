"""Plates: candidates, the crops that readers get, their texts, the grammar, and votes over time."""
