"""Which addresses are opened, and how."""

import pytest
from inference_gateway.ingest.rtsp import AddressNotRtsp, rtsp_address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://camera/1",
        "rtsp://",
        "file:///etc/passwd",
        "rtsp://host:99999/x",
        "rtsp:/x",
        "/x",
        "rtsp://camera/1\r\nTEARDOWN rtsp://camera/2",
    ],
)
def test_only_rtsp_addresses_are_pulled(address: str) -> None:
    with pytest.raises(AddressNotRtsp):
        rtsp_address(address)


@pytest.mark.parametrize("address", ["rtsp://10.0.0.1/live", "rtsps://u:p@camera.kz:322/1?x=y"])
def test_rtsp_addresses_are_let_through(address: str) -> None:
    assert rtsp_address(address) == address


@pytest.mark.parametrize(
    ("given", "opened"),
    [
        ("RTSP://Camera.kz/Live", "rtsp://Camera.kz/Live"),
        (" rtsp://u:P%20w@camera.kz/1", "rtsp://u:P%20w@camera.kz/1"),
        ("RtspS://camera.kz/1\n", "rtsps://camera.kz/1"),
    ],
)
def test_capitals_in_the_scheme_and_blanks_around_an_address_do_not_matter(
    given: str, opened: str
) -> None:
    assert rtsp_address(given) == opened
