"""Watch-lists of faces: who is searched for, the search itself, and the candidates it finds."""
