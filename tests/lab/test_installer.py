import json
import subprocess
import sys
from pathlib import Path

from tests.lab.api import VSphere
from tests.lab.guests import Guests
from tests.lab.portal_double import PortalDouble
from tests.lab.vcsim import Lab
from tests.lab.waiting import wait_until


def deploy(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.lab.installer", "--data", str(data), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def write_demo(data: Path, lab: Lab, url: str) -> None:
    login = lab.login()
    login["sha256_thumbprint"] = login.pop("thumbprint_sha256")
    (data / "demo").mkdir()
    (data / "demo" / "credentials.json").write_text(json.dumps({"url": url, "users": [], "vcenter": login}))


def test_installer_registers_with_its_ovf_properties(
    lab: Lab, vcenter: VSphere, guests: Guests, portal: PortalDouble, tmp_path: Path
) -> None:
    write_demo(tmp_path, lab, portal.url)

    done = deploy(tmp_path, "--pairing-code", "ABCD-1234", "--name", "my-installer")

    assert done.returncode == 0, done.stdout + done.stderr
    portal.wait_for(lambda: bool(portal.posted))
    body = portal.posted[0].body
    assert (body["pairing_code"], body["name"]) == ("ABCD-1234", "my-installer")
    assert body["instance_uuid"] == vcenter.machine("my-installer").config.instanceUuid
    wait_until(lambda: vcenter.machine("my-installer").guest.ipAddress == body["ip_address"])


def test_second_installer_with_the_name_is_told_plainly(lab: Lab, vcenter: VSphere, tmp_path: Path) -> None:
    write_demo(tmp_path, lab, "http://127.0.0.1:1")
    vcenter.create_machine("my-installer")

    done = deploy(tmp_path, "--pairing-code", "ABCD-1234", "--name", "my-installer")

    assert done.returncode == 1
    assert "exists already" in done.stdout


def test_missing_demo_is_told_plainly(tmp_path: Path) -> None:
    done = deploy(tmp_path, "--pairing-code", "ABCD-1234")

    assert done.returncode == 1
    assert "make demo" in done.stdout
