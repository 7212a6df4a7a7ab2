"""External callers of the mesh (partners, devices and operators), used by the demonstration and
tests."""
