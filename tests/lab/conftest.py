from collections.abc import Iterator

import pytest

from tests.lab.fixtures import guests, lab, lab_server, vcenter  # noqa: F401
from tests.lab.portal_double import PortalDouble


@pytest.fixture
def portal() -> Iterator[PortalDouble]:
    with PortalDouble() as double:
        yield double
