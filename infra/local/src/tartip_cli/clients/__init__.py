"""External callers of the mesh: partners, devices and operators, for demonstration and tests."""
