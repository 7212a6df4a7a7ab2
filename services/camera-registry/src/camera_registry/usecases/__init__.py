"""The use cases of the camera register: each method makes one decision in one transaction."""
