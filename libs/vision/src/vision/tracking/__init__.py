"""Boxes over the frames of one camera: tracking, and propagation between inferences."""
