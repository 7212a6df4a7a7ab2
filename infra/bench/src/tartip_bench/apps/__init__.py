"""Measures the calls of bank and eGov apps: submit a report; look up, quote and pay a fine.

`load` is the program that makes the calls of one partner, `fines` prepares fines to pay, and
`measure` compares the calls with bare handlers.
"""

from tartip_bench.apps.measure import measure

__all__ = ["measure"]
