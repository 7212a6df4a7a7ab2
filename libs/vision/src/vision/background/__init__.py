"""The background of a fixed camera: motion, left objects, frozen and black pictures."""
