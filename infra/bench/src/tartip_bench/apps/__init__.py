"""Measures the calls of bank and eGov apps about fines: look up, quote and pay.

`fines` prepares fines to pay, and `measure` compares the calls with bare handlers.
"""

from tartip_bench.apps.measure import measure

__all__ = ["measure"]
