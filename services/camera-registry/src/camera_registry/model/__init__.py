"""The rules of the camera register; pure: no clock, no storage."""
