"""Measures how long requests take, as the metric `http.server.request.duration`.

Name, labels and buckets are those of the OpenTelemetry semantic conventions. The route (such as
/v1/fines/{number}) is a label, the path is not, since it may contain the number of a case.
"""

from chassis.telemetry import meter

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

request_duration = meter.create_histogram(
    "http.server.request.duration", unit="s", explicit_bucket_boundaries_advisory=SECONDS
)


def measure_request(
    method: str, *, route: str | None, status: int | None, scheme: str, seconds: float
) -> None:
    """Record the duration of a request in `seconds`. `route` is the template of the path, None if
    no route matched; `status` is None if the client got no response."""
    labels: dict[str, str | int] = {
        "http.request.method": method if method in METHODS else "_OTHER",
        "url.scheme": scheme,
    }
    if route is not None:
        labels["http.route"] = route
    if status is not None:
        labels["http.response.status_code"] = status
    if status is None or status >= 500:
        labels["error.type"] = str(status or "cancelled")
    request_duration.record(seconds, labels)
