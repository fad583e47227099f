import pytest

from clusters.steps.preparation import needed_storage_gib


@pytest.mark.parametrize(("disks", "expected"), [([], 0), ([60], 60), ([60, 60, 60], 70)])
def test_needed_storage_is_the_documented_minimum(disks, expected):
    assert needed_storage_gib(disks) == expected
