"""The third page: addresses from a pool that suffices and overlaps nothing, or DHCP with a known endpoint."""

from typing import Any

import pytest

from gateways.drafts import ADDRESSES, is_complete, page_values
from gateways.models import PrivateCloudGateway
from ippools.models import IPPool
from tests.factories import make_gateway, make_pool
from tests.integration.gateways.configure.walk import POOL, Walk, errors_of, options_of, text_of

DHCP = {**POOL, "scheme": "dhcp", "control_plane_endpoint": "10.10.183.60"}
SUBNET = {**POOL, "network_type": "subnet", "subnet": "10.10.183.64/26", "gateway_address": "10.10.183.65"}


def test_addresses_new_pool_is_kept_and_not_yet_created(walk: Walk) -> None:
    walk.to_summary()

    values = page_values(walk.draft, ADDRESSES)
    assert values["name_servers"] == ["10.10.0.2", "10.10.0.3"]
    assert values["pool_name"] == "gateway-pool"
    assert not IPPool.objects.exists()


def test_addresses_without_pools_there_is_nothing_to_pick(walk: Walk) -> None:
    walk.to_addresses()

    page = text_of(walk.get("addresses"))

    assert '<select name="pool"' not in page
    assert 'name="start"' in page


def test_addresses_known_pool_is_picked(walk: Walk) -> None:
    pool = make_pool(walk.gateway, name="rack-7")
    walk.to_addresses()

    assert options_of(walk.get("addresses"), "pool") == ["rack-7|21 free", "Create an IP pool"]
    walk.accept("addresses", {"scheme": "static", "pool": str(pool.pk)})

    assert "rack-7" in text_of(walk.get("summary"))


@pytest.mark.parametrize("pool", ["00000000-0000-4000-8000-000000000000", "rack-7"])
def test_addresses_unknown_pool_is_refused(walk: Walk, pool: str) -> None:
    make_pool(walk.gateway)
    walk.to_addresses()

    response = walk.post("addresses", {"scheme": "static", "pool": pool})

    assert "does not exist any more" in errors_of(response)["pool"]


def test_addresses_after_the_only_pool_was_deleted_offer_a_new_one(walk: Walk) -> None:
    pool = make_pool(walk.gateway)
    walk.to_addresses()
    walk.accept("addresses", {"scheme": "static", "pool": str(pool.pk)})
    pool.delete()

    page = text_of(walk.get("addresses"))
    sent = walk.post("addresses", {"scheme": "static", "pool": str(pool.pk)})

    assert 'name="pool" value="new"' in page
    assert 'type="text" name="start"' in page
    assert "does not exist any more" in errors_of(sent)["pool"]


def test_addresses_pool_of_another_gateway_is_refused(walk: Walk) -> None:
    make_pool(walk.gateway)
    foreign = make_pool(make_gateway())
    walk.to_addresses()

    response = walk.post("addresses", {"scheme": "static", "pool": str(foreign.pk)})

    assert "pool" in errors_of(response)


def test_addresses_known_pool_that_is_too_small_is_refused(walk: Walk) -> None:
    pool = make_pool(walk.gateway, start="10.10.183.20", end="10.10.183.23")
    walk.to_addresses(nodes="3")

    response = walk.post("addresses", {"scheme": "static", "pool": str(pool.pk)})

    assert "4 addresses free, and 5 are needed" in errors_of(response)["pool"]


@pytest.mark.parametrize(
    ("field", "changes", "said"),
    [
        ("name", {"name": ""}, "Fill in"),
        ("start", {"start": "10.10.183"}, "valid IPv4 or IPv6"),
        ("start", {"start": ""}, "Fill in"),
        ("end", {"end": "10.10.183.10"}, "comes before Start"),
        ("end", {"end": "10.10.184.9"}, "outside of 10.10.183.0/24"),
        ("end", {"end": "10.10.183.21"}, "2 addresses; 3 are needed"),
        ("subnet_prefix", {"subnet_prefix": "40"}, "/40 is not a prefix length"),
        ("subnet_prefix", {"subnet_prefix": "x"}, "whole number"),
        ("subnet_prefix", {"subnet_prefix": ""}, "Fill in"),
        ("gateway_address", {"gateway_address": "10.10.9.1"}, "outside of 10.10.183.0/24"),
        ("name_servers", {"name_servers": "10.10.0.2, ns1"}, "“ns1” is not an IP address"),
        ("name_servers", {"name_servers": ""}, "Fill in"),
        ("search_suffixes", {"search_suffixes": "acme_test!"}, "not a domain name"),
        ("scheme", {"scheme": "bootp"}, "valid choice"),
        ("network_type", {"network_type": "ring"}, "valid choice"),
        ("subnet", {**SUBNET, "subnet": "10.10.183.0/33"}, "is not a network"),
        ("subnet", {**SUBNET, "subnet": "10.10.183.64/30"}, "1 address; 3 are needed"),
        ("subnet", {**SUBNET, "subnet": ""}, "Fill in"),
        (
            "control_plane_endpoint",
            {**DHCP, "control_plane_endpoint": "not_a_name!"},
            "neither an IP address",
        ),
        ("control_plane_endpoint", {**DHCP, "control_plane_endpoint": ""}, "Fill in"),
    ],
)
def test_addresses_wrong_value_is_refused_at_its_field(
    walk: Walk, field: str, changes: dict[str, str], said: str
) -> None:
    walk.to_addresses()

    response = walk.post("addresses", {**POOL, **changes})

    assert response.status_code == 422
    assert said in errors_of(response)[field]


def test_addresses_overlap_with_another_pool_is_refused(walk: Walk) -> None:
    make_pool(walk.gateway, name="rack-7", start="10.10.183.30", end="10.10.183.50")
    walk.to_addresses()

    response = walk.post("addresses", POOL)

    assert "overlap with the IP pool rack-7" in errors_of(response)["start"]


def test_addresses_overlap_with_a_pool_on_the_same_vcenter_is_refused(walk: Walk) -> None:
    neighbour = make_gateway(vcenter_server=walk.lab.server)
    make_pool(neighbour, name="neighbour", start="10.10.183.30", end="10.10.183.50")
    walk.to_addresses()

    response = walk.post("addresses", POOL)

    assert "overlap with the IP pool neighbour" in errors_of(response)["start"]


def test_addresses_pool_name_that_is_taken_is_refused(walk: Walk) -> None:
    make_pool(
        walk.gateway, name="gateway-pool", start="10.20.0.20", end="10.20.0.30", gateway_address="10.20.0.1"
    )
    walk.to_addresses()

    response = walk.post("addresses", POOL)

    assert "already" in errors_of(response)["name"]


def installer_said(walk: Walk, **fields: str) -> None:
    PrivateCloudGateway.objects.filter(pk=walk.gateway.pk).update(**fields)


@pytest.mark.parametrize(
    ("changes", "field"),
    [(POOL, "start"), ({**SUBNET, "subnet_prefix": ""}, "subnet"), (DHCP, "control_plane_endpoint")],
)
def test_addresses_inside_the_installers_pod_cidr_are_refused(
    walk: Walk, changes: dict[str, str], field: str
) -> None:
    installer_said(walk, pod_cidr="10.10.0.0/16")
    walk.to_addresses()

    response = walk.post("addresses", changes)

    assert "overlaps the pod CIDR 10.10.0.0/16 that was given to the installer" in errors_of(response)[field]


def test_addresses_inside_the_installers_service_cidr_are_refused_for_a_known_pool(walk: Walk) -> None:
    installer_said(walk, service_cidr="10.10.128.0/17")
    pool = make_pool(walk.gateway)
    walk.to_addresses()

    response = walk.post("addresses", {"scheme": "static", "pool": str(pool.pk)})

    assert "overlaps the service CIDR" in errors_of(response)["pool"]


def test_addresses_inside_a_default_cidr_get_another_default(walk: Walk) -> None:
    walk.to_addresses()

    inside = {"start": "10.244.1.20", "end": "10.244.1.40", "gateway_address": "10.244.1.1"}
    walk.accept("addresses", {**POOL, **inside})

    assert "172.20.0.0/16" in text_of(walk.get("summary"))


def test_addresses_subnet_takes_its_own_prefix(walk: Walk) -> None:
    walk.to_addresses(nodes="3")

    walk.accept("addresses", {**SUBNET, "subnet_prefix": ""})

    assert "10.10.183.64/26" in text_of(walk.get("summary"))


@pytest.mark.parametrize("endpoint", ["10.10.183.60", "pcg-1.acme.test"])
def test_addresses_dhcp_takes_an_endpoint(walk: Walk, endpoint: str) -> None:
    walk.to_addresses()

    walk.accept("addresses", {**DHCP, "control_plane_endpoint": endpoint})

    assert f"{endpoint}:6443" in text_of(walk.get("summary"))


@pytest.mark.parametrize("vcenter_server", ["", "the same"], ids=["own pool", "pool on the same vCenter"])
def test_addresses_dhcp_endpoint_in_a_pool_is_refused(walk: Walk, vcenter_server: str) -> None:
    gateway = make_gateway(vcenter_server=walk.lab.server) if vcenter_server else walk.gateway
    make_pool(gateway, name="rack-7", start="10.10.183.50", end="10.10.183.70")
    walk.to_addresses()

    response = walk.post("addresses", {**DHCP, "control_plane_endpoint": "10.10.183.60"})

    assert response.status_code == 422
    assert "10.10.183.60 is in the IP pool rack-7" in errors_of(response)["control_plane_endpoint"]


@pytest.mark.parametrize("endpoint", ["10.10.183.71", "10.10.183.61", "fd00::60", "rack-7.acme.test"])
def test_addresses_dhcp_endpoint_that_no_pool_gives_away_is_taken(walk: Walk, endpoint: str) -> None:
    make_pool(walk.gateway, start="10.10.183.50", end="10.10.183.70", excluded=["10.10.183.61"])
    make_pool(make_gateway(vcenter_server="elsewhere.acme.test"), start="10.10.183.71", end="10.10.183.79")
    walk.to_addresses()

    walk.accept("addresses", {**DHCP, "control_plane_endpoint": endpoint})


def test_addresses_dhcp_says_what_it_needs(walk: Walk) -> None:
    walk.to_addresses()

    part = text_of(walk.fields("addresses", DHCP))

    assert "Dynamic DNS is needed" in part
    assert 'type="text" name="control_plane_endpoint"' in part


def test_addresses_to_dhcp_and_back_loses_nothing(walk: Walk) -> None:
    walk.to_addresses()

    there = text_of(walk.fields("addresses", {**DHCP, "restrict_to_single_cluster": "on"}))

    assert 'type="hidden" name="start" value="10.10.183.20"' in there
    assert 'type="hidden" name="restrict_to_single_cluster" value="True"' in there
    back = text_of(walk.fields("addresses", {**POOL, "restrict_to_single_cluster": "True"}))
    assert 'name="start" value="10.10.183.20"' in back
    assert "checked" in back.split('name="restrict_to_single_cluster"')[1].split(">")[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "21 addresses free"),
        ({"end": "10.10.183.20"}, "1 address free"),
        ({"end": ""}, "3 are needed"),
        ({"subnet_prefix": ""}, "3 are needed"),
    ],
)
def test_addresses_need_is_shown_against_what_is_free(walk: Walk, changes: dict[str, Any], said: str) -> None:
    walk.to_addresses()

    part = text_of(walk.fields("addresses", {**POOL, **changes, "need": "1"}))

    assert part.strip().startswith('<div id="address-need"')
    assert said in part


def test_addresses_save_and_exit_keeps_unchecked_values(walk: Walk) -> None:
    walk.to_addresses()

    walk.post("addresses", {**POOL, "end": "10.10.183"}, then="exit")

    assert not is_complete(walk.draft, ADDRESSES)
    page = text_of(walk.get("addresses"))
    assert 'value="10.10.183"' in page


def test_addresses_back_without_a_change_stays_complete(walk: Walk) -> None:
    walk.to_summary()

    walk.post("addresses", POOL, then="back")

    assert is_complete(walk.draft, ADDRESSES)


def test_addresses_update_without_javascript_redraws_the_fields(walk: Walk) -> None:
    walk.to_addresses()

    response = walk.post("addresses", {**POOL, "scheme": "dhcp"}, then="update")

    assert response.status_code == 200
    assert 'type="text" name="control_plane_endpoint"' in text_of(response)


def test_addresses_refused_values_are_there_again_later(walk: Walk) -> None:
    walk.to_addresses()

    refused = walk.post("addresses", {**POOL, "start": "10.10.183.50"})

    assert refused.status_code == 422
    assert "10.10.183.50" in walk.get("addresses").content.decode()
    assert walk.draft.pages["addresses"]["open"]
