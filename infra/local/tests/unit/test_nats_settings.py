"""The settings of an external NATS: what cannot be meant is refused by the variable's name."""

from __future__ import annotations

from pathlib import Path

import pytest
from tartip_cli.failures import Exit, Failure
from tartip_cli.provision.streams import read_topology
from tartip_cli.settings import find_checkout, read_settings

URL = {"TARTIP_NATS_URL": "tls://a:4222,tls://b:4222,tls://c:4222"}


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({**URL, "TARTIP_NATS_REPLICAS": "2"}, "none of 1, 3 and 5"),
        ({**URL, "TARTIP_NATS_REPLICAS": "three"}, "none of 1, 3 and 5"),
        ({"TARTIP_NATS_REPLICAS": "3"}, "set TARTIP_NATS_URL"),
        ({**URL, "TARTIP_NATS_CA": "/nowhere/ca.pem"}, "TARTIP_NATS_CA=/nowhere/ca.pem"),
    ],
)
def test_a_setting_of_nats_that_cannot_be_meant_is_refused(
    environment: dict[str, str], named: str
) -> None:
    with pytest.raises(Failure, match=named) as refused:
        read_settings(environment)
    assert refused.value.code is Exit.USAGE


def test_a_cluster_is_set_by_addresses_authority_and_replicas(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("a certificate")
    found = read_settings({**URL, "TARTIP_NATS_CA": str(authority), "TARTIP_NATS_REPLICAS": "3"})
    assert (found.nats_url, found.nats_ca, found.nats_replicas) == (
        *URL.values(),
        authority,
        3,
    )
    assert read_settings({}).nats_replicas == 1


def test_replicas_are_those_of_all_streams_and_consumers_follow_them() -> None:
    topology = read_topology(find_checkout() / "infra" / "nats" / "streams.yaml").with_replicas(3)
    assert {s.num_replicas for s in (*topology.streams, *topology.feed_streams)} == {3}
    consumers = [one for found in topology.consumers.values() for one in found]
    assert consumers and {consumer.num_replicas for consumer in consumers} == {None}
