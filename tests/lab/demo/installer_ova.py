"""The file behind the demo's gateway-installer link: complete but for its disk, which is empty."""

from pathlib import Path

from gateways.installer.ova.packing import Options, pack
from tests.lab.empty_disk import write_empty_disk


def pack_installer(folder: Path) -> Path:
    """Anew at every start, in a moment: it holds the agent as it is now."""
    disk, output = folder / "empty.vmdk", folder / "palette-gateway-installer.ova"
    write_empty_disk(disk)
    pack(Options(disk=disk, output=output))
    return output
