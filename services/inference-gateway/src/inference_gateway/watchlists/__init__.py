"""Watch-lists of faces: the entries, the face search, and the candidates that it finds."""
