"""Statements that are made once: what transactions write, commits that calls share, hot reads.

Start at `writes`.
"""
