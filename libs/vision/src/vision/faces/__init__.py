"""Faces: where they are, how good their pictures are, and how near two templates lie."""
