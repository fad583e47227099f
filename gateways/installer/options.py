import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    ovf_environment: Path | None
    state_folder: Path
    log: Path
    ip_address: str
    instance_uuid: str
    ssh_user: str


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(
        prog="palette-installer", description="Register this installer VM with the Palette portal."
    )
    parser.add_argument(
        "--ovf-env",
        dest="ovf_environment",
        type=Path,
        help="read the OVF environment from this file; without it VMware Tools are asked",
    )
    parser.add_argument(
        "--state",
        dest="state_folder",
        type=Path,
        default=Path("/var/lib/palette-installer"),
        metavar="FOLDER",
    )
    parser.add_argument("--log", type=Path, default=Path("/var/log/palette-installer.log"), metavar="FILE")
    parser.add_argument("--ip-address", default="", help="report this address instead of the one found")
    parser.add_argument("--instance-uuid", default="", help="report this UUID instead of the hardware's")
    parser.add_argument("--ssh-user", default="", help="give this user the SSH Public Key property")
    return Options(**vars(parser.parse_args(arguments)))
