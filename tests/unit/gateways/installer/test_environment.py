import subprocess
from pathlib import Path

import pytest

from gateways.installer import environment
from gateways.installer.environment import read_environment
from gateways.installer.errors import NoEnvironment
from tests.unit.gateways.installer.factories import make_environment, make_values


def test_environment_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ovf-env.xml"
    file.write_text(make_environment(make_values(no_proxy="a&b,<c>")), encoding="utf-8")

    values = read_environment(file)

    assert values["palette.installer_name"] == "Frankfurt 1"
    assert values["palette.no_proxy"] == "a&b,<c>"


def test_environment_from_vmware_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "vmtoolsd"
    script.write_text(f"#!/bin/sh\n[ \"$2\" = 'info-get guestinfo.ovfEnv' ] && cat {tmp_path}/answer\n")
    script.chmod(0o755)
    (tmp_path / "answer").write_text(make_environment(make_values()))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert read_environment(None) == make_values()


def test_environment_without_vmware_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(NoEnvironment, match="not installed"):
        read_environment(None)


def test_environment_that_vmware_tools_do_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **_keywords: object) -> None:
        raise subprocess.CalledProcessError(1, "vmtoolsd")

    monkeypatch.setattr(environment.subprocess, "run", fail)

    with pytest.raises(NoEnvironment, match="no OVF environment"):
        read_environment(None)


@pytest.mark.parametrize("text", ["", "No value found", "<Environment>"])
def test_environment_that_is_no_xml(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ovf-env.xml"
    file.write_text(text)

    with pytest.raises(NoEnvironment, match="not XML"):
        read_environment(file)


def test_environment_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NoEnvironment, match="No such file"):
        read_environment(tmp_path / "none")
