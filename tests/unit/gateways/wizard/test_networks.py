import ipaddress

import pytest

from gateways.networks import ClusterNetworks, IPNetwork, NetworksOverlap, choose_networks


def networks(*cidrs: str) -> list[IPNetwork]:
    return [ipaddress.ip_network(cidr) for cidr in cidrs]


def chosen(
    *occupied: str, pod_cidr: str = "", service_cidr: str = "", avoid: tuple[str, ...] = ()
) -> tuple[str, str]:
    found: ClusterNetworks = choose_networks(
        pod_cidr=pod_cidr, service_cidr=service_cidr, occupied=networks(*occupied), avoid=networks(*avoid)
    )
    return str(found.pods), str(found.services)


def test_networks_default_when_nothing_is_in_the_way() -> None:
    assert chosen() == ("10.244.0.0/16", "10.96.0.0/12")


@pytest.mark.parametrize(
    ("occupied", "expected"),
    [
        ("192.168.0.0/16", ("10.244.0.0/16", "10.96.0.0/12")),
        ("10.244.8.0/24", ("172.20.0.0/16", "10.96.0.0/12")),
        ("10.100.0.0/16", ("10.244.0.0/16", "172.24.0.0/16")),
        ("10.0.0.0/8", ("172.20.0.0/16", "172.24.0.0/16")),
        ("172.16.0.0/12", ("10.244.0.0/16", "10.96.0.0/12")),
        ("fd00:1::/64", ("fd00:10:244::/56", "fd00:10:96::/112")),
    ],
)
def test_networks_default_moves_out_of_the_way(occupied: str, expected: tuple[str, str]) -> None:
    assert chosen(occupied) == expected


def test_networks_given_to_the_installer_are_taken() -> None:
    assert chosen(pod_cidr="172.30.0.0/16", service_cidr="172.31.0.0/16") == (
        "172.30.0.0/16",
        "172.31.0.0/16",
    )


def test_networks_default_keeps_clear_of_the_one_that_was_given() -> None:
    assert chosen(service_cidr="10.244.0.0/20") == ("172.20.0.0/16", "10.244.0.0/20")
    assert chosen(pod_cidr="10.96.0.0/16") == ("10.96.0.0/16", "172.24.0.0/16")


def test_networks_default_avoids_where_it_can() -> None:
    assert chosen(avoid=("10.244.3.9/32",))[0] == "172.20.0.0/16"
    everywhere = ("10.244.3.9/32", "172.20.0.1/32", "192.168.1.1/32")
    assert chosen(avoid=everywhere)[0] == "10.244.0.0/16"


@pytest.mark.parametrize("given", [{"pod_cidr": "10.10.0.0/16"}, {"service_cidr": "10.10.183.0/24"}])
def test_networks_given_that_overlap_the_nodes_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(
        NetworksOverlap, match=r"10\.10\.183\.0/24 overlaps the .* that was given to the installer"
    ):
        chosen("10.10.183.0/24", **given)  # type: ignore[arg-type]


def test_networks_no_default_left_is_refused() -> None:
    with pytest.raises(NetworksOverlap, match="of the cluster"):
        chosen("0.0.0.0/0")
