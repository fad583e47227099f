from collections.abc import Iterator

import pytest

from tests.integration.orchestration import acts
from tests.integration.orchestration.streaming import scene  # noqa: F401


@pytest.fixture(autouse=True)
def _empty_stage() -> Iterator[None]:
    acts.plays.clear()
    acts.calls.clear()
    yield
    acts.plays.clear()
