from pathlib import Path

import pytest

from tests.lab.empty_disk import write_empty_disk


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "base.vmdk"
    write_empty_disk(path)
    return path
