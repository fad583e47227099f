"""python -m tests.lab.release: publishes the next gateway release in the running demo, as its operator would.

The demo's vCenter has its image template; gateways of release 1.0.0 show that it is there.
"""

import json
import os
import subprocess
import sys

from tests.lab.demo.keepsakes import load_keepsakes
from tests.lab.demo.options import Options, read_options
from tests.lab.demo.programs import ROOT

VERSION, KUBERNETES, IMAGE = "1.1.0", "1.32.3", "r_u-2204-0-k-1323-0"
NOTES = "Kubernetes 1.32.3.\nA newer kernel with this month's security fixes."


def command() -> list[str]:
    options = ["--kubernetes", KUBERNETES, "--image", IMAGE, "--notes", NOTES]
    return [sys.executable, "manage.py", "publish_release", VERSION, *options]


def environment(options: Options) -> dict[str, str]:
    keepsakes = load_keepsakes(options.folder)
    return {
        **os.environ,
        "SECRET_KEY": keepsakes.secret_key,
        "ENCRYPTION_KEYS": keepsakes.encryption_keys,
        "DATABASE_URL": json.loads(options.database.read_text())["url"],
        "DATA": str(options.data),
    }


def main() -> int:
    options = read_options(reload=False)
    if not options.database.exists():
        print(f"No demo was started with the data folder {options.data}. Run: make demo", file=sys.stderr)
        return 1
    return subprocess.run(command(), env=environment(options), cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
