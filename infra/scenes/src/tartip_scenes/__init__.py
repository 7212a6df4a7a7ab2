"""Draws test and training pictures (plates, cars, faces, road scenes) whose content is known."""
