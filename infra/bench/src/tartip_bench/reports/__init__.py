"""Measures reports: handing them in, uploading media, following them, and the desk of a million.

`measure` runs all. `uploads` and `following` measure what apps do beside handing in, `upload_load`
is the program that uploads, and `million` fills the tables and asks the desk.
"""

from tartip_bench.reports.measure import measure

__all__ = ["measure"]
