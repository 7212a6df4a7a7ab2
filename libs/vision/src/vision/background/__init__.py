"""The background of a fixed camera: motion, abandoned objects, frozen and black pictures."""
