"""Callers from outside the mesh: partners, devices and operators, for demonstration and tests."""
