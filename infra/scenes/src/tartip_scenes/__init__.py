"""Pictures with known truth: plates, and the scenes that they stand in."""
