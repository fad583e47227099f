import pytest

from clusters.profiles.packs import KubernetesRange
from clusters.profiles.versions import next_minor, rank_of


def test_ranks_order_versions():
    versions = ["0.9.9", "1.0.0", "1.0.10", "1.2.0", "1.10.0", "2.0.0"]

    assert sorted(reversed(versions), key=rank_of) == versions


@pytest.mark.parametrize(
    "version", ["", "1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.0.0-rc1", "1.0.1000000", "1.0.\u0661"]
)
def test_rank_of_what_is_no_version_is_none(version):
    assert rank_of(version) is None


def test_next_version_is_the_next_minor_one():
    assert next_minor("1.9.3") == "1.10.0"


@pytest.mark.parametrize(
    ("version", "is_taken"), [("1.34.9", False), ("1.35.0", True), ("1.37.12", True), ("1.38.0", False)]
)
def test_kubernetes_range_has_both_ends_in_it(version, is_taken):
    assert KubernetesRange("1.35", "1.37").takes(version) is is_taken


def test_empty_kubernetes_range_takes_every_version():
    assert KubernetesRange().takes("1.31.2")
