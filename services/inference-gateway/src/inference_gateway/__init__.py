"""Inference on pictures: vehicles, plates and people, by models served in Triton."""
