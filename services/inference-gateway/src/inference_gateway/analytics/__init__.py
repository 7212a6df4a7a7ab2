"""What detections mean over time: tracks, zones, lines, crowds, left objects, vehicles.

Everything here is pure: detections (or frames, where a background is learnt) and seconds in,
facts out; no clock, no waiting, no model. Places are shares of the picture, 0 to 1.
"""
