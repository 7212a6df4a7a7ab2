"""`tartip bench`: speed, endurance and cost, each beside a bare counterpart, such as the same
work done with the underlying libraries alone.

A bench runs its own mesh in a scratch folder. Comparisons run in alternating pairs in the same run
on the same parts, so that a busy machine slows both; a ratio is the median of the pairs' ratios,
with the smallest and the largest beside it.
"""
