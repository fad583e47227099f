import pytest

from gateways.addresses import is_ticked, pool_values
from ippools.actions import InvalidPool
from ippools.models import NetworkType

TYPED = {
    "name": "rack-7",
    "network_type": "range",
    "start": "10.0.0.2",
    "end": "10.0.0.9",
    "subnet": "10.9.0.0/24",
    "subnet_prefix": "24",
    "gateway_address": "10.0.0.1",
    "name_servers": "10.0.0.53, 10.0.0.54",
    "search_suffixes": "",
    "restrict_to_single_cluster": "on",
}


def test_pool_values_of_a_range_leave_the_subnet_out() -> None:
    values = pool_values(TYPED)

    assert (values.network_type, values.subnet, values.start) == (NetworkType.RANGE, "", "10.0.0.2")
    assert values.name_servers == ("10.0.0.53", "10.0.0.54")
    assert values.restrict_to_single_cluster is True


def test_pool_values_of_a_subnet_leave_the_range_out() -> None:
    values = pool_values({**TYPED, "network_type": "subnet"})

    assert (values.start, values.end, values.subnet) == ("", "", "10.9.0.0/24")


def test_pool_values_of_a_subnet_take_its_prefix() -> None:
    assert (
        pool_values({**TYPED, "network_type": "subnet", "subnet": "10.9.0.0/26", "subnet_prefix": ""}).prefix
        == 26
    )


@pytest.mark.parametrize("prefix", ["", "x", "-1", "²"])
def test_pool_values_without_a_prefix_are_refused_at_it(prefix: str) -> None:
    with pytest.raises(InvalidPool) as refused:
        pool_values({**TYPED, "subnet_prefix": prefix})

    assert refused.value.field == "prefix"


def test_pool_values_take_cleaned_ones_too() -> None:
    cleaned = {
        **TYPED,
        "name_servers": ["10.0.0.53"],
        "subnet_prefix": 24,
        "restrict_to_single_cluster": False,
    }

    values = pool_values(cleaned)

    assert (values.name_servers, values.prefix, values.restrict_to_single_cluster) == (
        ("10.0.0.53",),
        24,
        False,
    )


@pytest.mark.parametrize(
    ("value", "ticked"),
    [(True, True), ("on", True), ("True", True), ("False", False), ("", False), (None, False)],
)
def test_ticked_box_in_every_form_it_travels(value: object, ticked: bool) -> None:
    assert is_ticked(value) is ticked
