"""People: who is in a picture, and how many in a zone."""
