"""The OVF environment: what was typed at Customize Template, as XML from VMware Tools or from a file."""

import subprocess
from pathlib import Path
from xml.etree import ElementTree

from gateways.installer.errors import NoEnvironment

_NAMESPACE = "{http://schemas.dmtf.org/ovf/environment/1}"
_VMTOOLSD = ["vmtoolsd", "--cmd", "info-get guestinfo.ovfEnv"]


def read_environment(path: Path | None) -> dict[str, str]:
    """Property values by id. Raise NoEnvironment."""
    return parse_environment(_from_file(path) if path else _from_vmware_tools())


def parse_environment(text: str) -> dict[str, str]:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise NoEnvironment(f"The OVF environment is not XML ({error}).") from error
    properties = root.iter(f"{_NAMESPACE}Property")
    return {item.get(f"{_NAMESPACE}key", ""): item.get(f"{_NAMESPACE}value", "") for item in properties}


def _from_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NoEnvironment(f"The OVF environment cannot be read from {path}: {error.strerror}.") from error


def _from_vmware_tools() -> str:
    try:
        answer = subprocess.run(_VMTOOLSD, capture_output=True, text=True, timeout=30, check=True)
    except FileNotFoundError as error:
        raise NoEnvironment("VMware Tools (vmtoolsd) are not installed on this machine.") from error
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise NoEnvironment("VMware Tools know no OVF environment for this VM.") from error
    return answer.stdout
