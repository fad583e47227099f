import hashlib
import tarfile
from pathlib import Path

import pytest

from gateways.installer.ova.__main__ import main


def pack(disk: Path, output: Path, *more: str) -> int:
    return main(["--disk", str(disk), "--output", str(output), *more])


def test_ova_holds_descriptor_manifest_and_disk_in_this_order(disk: Path, tmp_path: Path) -> None:
    output = tmp_path / "installer.ova"

    assert pack(disk, output, "--name", "edge") == 0

    with tarfile.open(output) as tar:
        assert tar.getnames() == ["edge.ovf", "edge.mf", "edge-disk1.vmdk"]
    assert output.read_bytes()[257:265] == b"ustar\x0000"


def test_manifest_has_the_digest_of_every_other_file(disk: Path, tmp_path: Path) -> None:
    output = tmp_path / "installer.ova"
    pack(disk, output, "--name", "edge")

    with tarfile.open(output) as tar:
        content = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]

    lines = content.pop("edge.mf").decode().splitlines()
    assert lines == [f"SHA256({name})= {hashlib.sha256(data).hexdigest()}" for name, data in content.items()]
    assert content["edge-disk1.vmdk"] == disk.read_bytes()


def test_ova_is_the_same_every_time(disk: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.ova", tmp_path / "2.ova"

    for output in (first, second):
        pack(disk, output)

    assert first.read_bytes() == second.read_bytes()


def test_ova_that_was_there_stays_when_packing_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, output = tmp_path / "raw.img", tmp_path / "installer.ova"
    raw.write_bytes(bytes(4096))
    output.write_bytes(b"earlier")

    assert pack(raw, output) == 1
    assert "raw.img is not a sparse VMDK" in capsys.readouterr().err
    assert output.read_bytes() == b"earlier"


def test_disk_that_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pack(tmp_path / "nowhere.vmdk", tmp_path / "installer.ova") == 1
    assert "nowhere.vmdk" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [("--cpus", "0"), ("--memory-mib", "4G"), ("--name", "a/b")])
def test_options_that_make_no_machine_are_refused(
    disk: Path, tmp_path: Path, wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        pack(disk, tmp_path / "installer.ova", *wrong)

    assert wrong[0] in capsys.readouterr().err
