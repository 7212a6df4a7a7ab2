"""Looks at pictures: vehicles, plates and people, by models served in Triton."""
