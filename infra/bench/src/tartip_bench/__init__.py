"""`tartip bench`: measures the speed, endurance and cost of Tartip, and compares most results with
a bare counterpart: the same work done with the underlying libraries alone.

The bench starts its own services and engines in a scratch folder. A comparison runs both sides in
alternation, so that a busy machine slows both. A ratio is the median of the ratios of all pairs of
runs; the smallest and the largest are reported with it.
"""
