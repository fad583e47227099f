"""A machine from the installer image: runs the real installer program with the machine's OVF properties."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from palette_portal.launcher.processes import spawn
from tests.lab.guests.node import Guest
from tests.lab.guests.watcher import Machine

ROOT = Path(__file__).parents[3]
NAMESPACE = "http://schemas.dmtf.org/ovf/environment/1"
CODE = "palette.pairing_code"


def is_installer(machine: Machine) -> bool:
    return CODE in machine.properties or CODE in machine.options.get("guestinfo.ovfEnv", "")


def ovf_environment(properties: dict[str, str]) -> str:
    """What vCenter hands to a guest: its properties as XML."""
    ElementTree.register_namespace("oe", NAMESPACE)
    environment = ElementTree.Element(f"{{{NAMESPACE}}}Environment")
    section = ElementTree.SubElement(environment, f"{{{NAMESPACE}}}PropertySection")
    for key, value in properties.items():
        names = {f"{{{NAMESPACE}}}key": key, f"{{{NAMESPACE}}}value": value}
        ElementTree.SubElement(section, f"{{{NAMESPACE}}}Property", names)
    return ElementTree.tostring(environment, encoding="unicode", xml_declaration=True)


class InstallerVM:
    """`folder` is the machine's disk: a restart of the player finds the installer's registration there."""

    def __init__(self, guest: Guest, folder: Path) -> None:
        self._guest = guest
        self._folder = folder / guest.machine.disk
        self._address = guest.dhcp_address()

    def live(self) -> None:
        if not self._guest.boot("palette-installer", self._address):
            return
        while not self._guest.off.is_set():
            program = self._start()
            self._guest.off.wait() if self._wait(program) else self._guest.pause(5)

    def _start(self) -> subprocess.Popen[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True)
        environment = self._folder / "ovf-env.xml"
        machine = self._guest.machine
        given = machine.options.get("guestinfo.ovfEnv", "")
        environment.write_text(given or ovf_environment(machine.properties), encoding="utf-8")
        self._guest.say("starts the installer")
        options = {
            "--ovf-env": environment,
            "--state": self._folder,
            "--log": self._folder / "palette-installer.log",
            "--ip-address": self._address,
            "--instance-uuid": machine.instance_uuid,
        }
        words = [part for pair in options.items() for part in pair]
        command = [sys.executable, "-m", "gateways.installer", *words]
        return spawn(command, log=self._folder / "console.log", folder=ROOT)

    def _wait(self, program: subprocess.Popen[bytes]) -> bool:
        """True when the machine was switched off, False when the program ended by itself."""
        while program.poll() is None:
            if self._guest.pause(0.2):
                program.terminate()
                program.wait()
                return True
        self._guest.say(f"the installer ended with status {program.returncode}")
        return False
