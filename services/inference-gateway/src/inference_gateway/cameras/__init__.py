"""Local copies of cameras from the camera register."""
