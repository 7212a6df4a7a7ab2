"""Holds on what a camera saw, which keep its evidence beyond its term."""
