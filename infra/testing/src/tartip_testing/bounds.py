"""How long tests wait at most, in seconds.

These bounds end a test that hangs, and nothing else: on a busy machine everything takes several
times as long. How quickly something is done is measured by `make bench`.
"""

CALL_SECONDS = 60.0
SOON_SECONDS = 60.0
