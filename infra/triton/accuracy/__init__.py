"""Measures every AI function on real pictures and films and writes docs/ACCURACY.md."""
