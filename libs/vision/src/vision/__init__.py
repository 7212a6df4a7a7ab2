"""Pure vision: pictures, plates, people, faces, tracks, zones, background, media time."""
