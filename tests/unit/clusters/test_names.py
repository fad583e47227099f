import pytest

from clusters.names import LABEL_LENGTH, label, machine_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gateway-1", "gateway-1"),
        ("My Gateway (Berlin)", "my-gateway-berlin"),
        ("pcg_eu.west", "pcg-eu-west"),
        ("Ünïcode", "n-code"),
        ("...", "cluster"),
    ],
)
def test_label_is_made_of_any_name(text, expected):
    assert label(text) == expected


def test_machine_name_of_the_control_plane():
    assert machine_name("gateway-1", pool="cp", index=2) == "gateway-1-cp-2"


def test_machine_name_of_a_long_cluster_name_stays_a_label():
    name = machine_name("g" * 80, pool="workers of the third floor", index=12)

    assert len(name) <= LABEL_LENGTH
    assert name.endswith("-workers-of-the-third-12")


def test_machine_name_never_has_two_dashes_where_it_was_cut():
    name = machine_name("g" * 57 + "-" + "h" * 10, pool="cp", index=1)

    assert "--" not in name
