"""Versions of profiles: three numbers, ordered by the database as one (`ProfileVersion.rank`)."""

import re

# Each number stays below a million, so that three of them fit into one BigIntegerField.
_SEMVER = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})", re.ASCII)


def rank_of(version: str) -> int | None:
    """None if it is not three numbers with points."""
    matched = _SEMVER.fullmatch(version)
    if matched is None:
        return None
    major, minor, patch = (int(number) for number in matched.groups())
    return major * 10**12 + minor * 10**6 + patch


def next_minor(version: str) -> str:
    """What the form proposes for a new version."""
    major, minor, _ = version.split(".")
    return f"{major}.{int(minor) + 1}.0"


def numbers(version: str) -> tuple[int, ...]:
    """For sorting: 1.9 before 1.10."""
    return tuple(int(number) for number in re.findall(r"\d+", version))
