"""What the mesh consists of: each part as a description of what to run and how to see it ready."""
