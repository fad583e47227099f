"""python -m tests.lab.guests: plays the guests of a simulated vCenter until Ctrl-C or SIGTERM."""

import argparse
import os
import signal
import sys
import time
from dataclasses import fields
from pathlib import Path

from tests.lab import build
from tests.lab.guests.faults import Fault, Faults
from tests.lab.guests.network import DEFAULT_RANGE
from tests.lab.guests.pace import Pace
from tests.lab.guests.player import Guests


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.guests", description=__doc__)
    parser.add_argument("--vcenter", required=True, metavar="HOST:PORT")
    parser.add_argument("--username", default=os.environ.get("LAB_USERNAME", "administrator@vsphere.local"))
    parser.add_argument("--password", default=os.environ.get("LAB_PASSWORD", ""), help="or LAB_PASSWORD")
    parser.add_argument("--thumbprint", default="", help="SHA-256 of vCenter's certificate, to insist on it")
    parser.add_argument("--data", type=Path, default=build.data_folder() / "guests", help="the guests' disks")
    parser.add_argument("--dhcp-range", default=DEFAULT_RANGE, metavar="FIRST-LAST")
    names = ", ".join(fault.value for fault in Fault)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=fault,
        metavar="NAME[:VM-PATTERN[:TIMES]]",
        help=f"one of {names}",
    )
    for one in fields(Pace):
        option = f"--{one.name.replace('_', '-')}"
        parser.add_argument(option, type=float, default=one.default, metavar="SECONDS")
    return parser.parse_args()


def fault(text: str) -> str:
    Faults((text,))
    return text


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def main() -> int:
    options = arguments()
    login = {
        "server": options.vcenter,
        "username": options.username,
        "password": options.password,
        "thumbprint_sha256": options.thumbprint,
    }
    pace = Pace(**{one.name: getattr(options, one.name) for one in fields(Pace)})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    guests = Guests(
        login,
        pace=pace,
        faults=tuple(options.fault),
        data=options.data,
        dhcp_range=options.dhcp_range,
        say=say,
    )
    try:
        with guests:
            say(f"plays the guests of {options.vcenter}")
            guests.wait()
    except KeyboardInterrupt:
        say("ends")
    return 0


if __name__ == "__main__":
    sys.exit(main())
