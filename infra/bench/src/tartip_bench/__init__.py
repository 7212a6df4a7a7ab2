"""`tartip bench`: how fast, how steady and how costly, each beside its bare counterpart.

A bench has a mesh of its own in a scratch folder. What is compared runs in alternating pairs in
the same run on the same parts, so that a busy machine slows both; a ratio is the median of the
pairs' ratios, with the least and the greatest beside it.
"""
