import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from gateways.installer.ova.disk import UnusableDisk
from gateways.installer.ova.packing import Options, pack

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_options(arguments)
    try:
        pack(options)
    except (UnusableDisk, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.output} is packed, {options.output.stat().st_size} bytes.")
    return 0


def parse_options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python3 -m gateways.installer.ova", description="Pack the gateway installer's OVA."
    )
    parser.add_argument(
        "--disk", type=Path, required=True, metavar="BASE.vmdk", help="a streamOptimized disk with Ubuntu"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.ova")
    parser.add_argument("--name", type=_name, default=Options.name)
    parser.add_argument("--version", default=Options.version)
    parser.add_argument("--cpus", type=_positive, default=Options.cpus)
    parser.add_argument("--memory-mib", type=_positive, default=Options.memory_mib)
    parser.add_argument(
        "--disk-gib", type=_positive, default=Options.disk_gib, help="the disk's capacity; it is checked"
    )
    return Options(**vars(parser.parse_args(arguments)))


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise argparse.ArgumentTypeError("use up to 60 letters, digits, dots, dashes and underscores")
    return value


def _positive(value: str) -> int:
    if not value.isdecimal() or int(value) == 0:
        raise argparse.ArgumentTypeError(f"{value} is not a whole number above zero")
    return int(value)


if __name__ == "__main__":
    sys.exit(main())
