"""People: detection in a picture, and the number of people in a zone."""
