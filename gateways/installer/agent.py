#!/usr/bin/env python3
"""Start the installer: `python3 -m gateways.installer`, or this file as a plain script."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType


class Stopped(BaseException):
    """Asked to end; not an Exception, so that nothing on the way takes it for a failed attempt."""


def main(arguments: Sequence[str] | None = None) -> int:
    from gateways.installer.loop import Installer
    from gateways.installer.options import parse_options

    options = parse_options(arguments)
    start_log(options.log)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        Installer(options=options, pause=threading.Event().wait).run()
    except Stopped:
        logging.getLogger("palette-installer").info("Stopped.")
    return 0


def start_log(path: Path) -> None:
    """To the file for support, and to standard error for the journal."""
    logger = logging.getLogger("palette-installer")
    logger.setLevel(logging.INFO)
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    for handler in (logging.FileHandler(path, encoding="utf-8"), logging.StreamHandler()):
        handler.setFormatter(formatter)
        logger.addHandler(handler)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    # As a plain script Python's path starts here instead of above the package.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    sys.exit(main())
