"""Boxes over the frames of one camera: tracks, and propagation between inferences."""
