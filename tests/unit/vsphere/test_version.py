from dataclasses import replace

import pytest

from palette_portal.vsphere.errors import NotVCenter, VersionRefused
from palette_portal.vsphere.soap import _dialect
from palette_portal.vsphere.version import About, check_version, judge_version

VCENTER = About("VMware vCenter Server", "8.0.3", "24022515", "8.0.3.0", "VirtualCenter", "6f3a")
ESXI = replace(VCENTER, full_name="VMware ESXi 8.0.3", api_type="HostAgent")


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("8.0.3", "ok"),
        ("8.0.0", "ok"),
        ("7.0.0", "ok"),
        ("6.7.0", "warning"),
        ("9.0.0", "warning"),
        ("10.1", "warning"),
        ("6.5.0", "refused"),
        ("5.5.0", "refused"),
        ("", "refused"),
    ],
)
def test_verdict_on_each_version(version: str, level: str) -> None:
    assert judge_version(replace(VCENTER, version=version)).level == level


def test_newer_version_says_why_it_warns() -> None:
    assert (
        "newer than the versions we have tested" in judge_version(replace(VCENTER, version="9.0.0")).sentence
    )


def test_esxi_host_is_not_a_vcenter() -> None:
    with pytest.raises(NotVCenter, match="ESXi"):
        check_version(ESXI)


def test_old_version_is_refused_before_login() -> None:
    with pytest.raises(VersionRefused, match="too old"):
        check_version(replace(VCENTER, version="6.5.0"))


@pytest.mark.parametrize(
    ("server", "dialect"),
    [
        ((8, 0, 3, 0), "vim.version.v8_0_3_0"),
        ((8, 0, 2, 5), "vim.version.v8_0_2_0"),
        ((7, 0, 0, 0), "vim.version.v7_0"),
        ((6, 7, 3), "vim.version.version11"),
        ((6, 0), "vim.version.version9"),
    ],
)
def test_dialect_is_never_newer_than_the_server(server: tuple[int, ...], dialect: str) -> None:
    assert _dialect(server) == dialect
