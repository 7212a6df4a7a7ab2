"""`tartip bench`: speed, endurance and cost, each beside a bare counterpart.

A bench runs its own mesh in a scratch folder. Comparisons run in alternating pairs in the same run
on the same parts, so that a busy machine slows both; a ratio is the median of the pairs' ratios,
with the smallest and the largest beside it.
"""
