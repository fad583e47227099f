"""python -m tests.lab: runs the lab's vCenter in the foreground until Ctrl-C or SIGTERM."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from tests.lab import build
from tests.lab.vcsim import MACHINES, QUICK, Lab

DEFAULTS = {
    "clone_seconds": 3.0,
    "power_on_seconds": 1.0,
    "power_off_seconds": 0.5,
    "destroy_seconds": 0.5,
    "reconfigure_seconds": 0.1,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--username", default=os.environ.get("LAB_USERNAME", "administrator@vsphere.local"))
    parser.add_argument("--password", default=os.environ.get("LAB_PASSWORD"), help="default: a random one")
    parser.add_argument("--version", default="8.0.3", help="version that vCenter reports")
    parser.add_argument(
        "--data", type=Path, default=build.data_folder() / "vcenter", help="certificate, files"
    )
    parser.add_argument(
        "--endpoint", type=Path, help="write server, login and thumbprint to this file, as JSON"
    )
    parser.add_argument("--forget", action="store_true", help="begin without the machines of an earlier run")
    for name in QUICK:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=DEFAULTS[name])
    return parser.parse_args()


def write_endpoint(path: Path, lab: Lab) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(lab.login() | {"control": lab.control.address}, indent=2) + "\n")
    unfinished.rename(path)


def main() -> int:
    options = arguments()
    if options.forget:
        (options.data / MACHINES).unlink(missing_ok=True)
    lab = Lab(
        port=options.port,
        data=options.data,
        username=options.username,
        password=options.password,
        version=options.version,
        keep_machines=True,
        durations={name: getattr(options, name) for name in QUICK},
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with lab:
            print(f"vCenter     {lab.server}")
            print(f"username    {lab.username}")
            print(f"password    {lab.password}")
            print(f"thumbprint  {lab.thumbprint_sha256}", flush=True)
            if options.endpoint:
                write_endpoint(options.endpoint, lab)
            return lab.wait()
    except build.LabUnavailable as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
