import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

from palette_portal.vsphere.errors import NotVCenter, VersionRefused

NEWEST_TESTED = 8


class Clocked(Protocol):
    @property
    def service_instance(self) -> Any: ...


@dataclass(frozen=True)
class About:
    full_name: str
    version: str
    build: str
    api_version: str
    api_type: str
    instance_uuid: str


@dataclass(frozen=True)
class Verdict:
    level: Literal["ok", "warning", "refused"]
    sentence: str


def read_about(about: Any) -> About:
    return About(
        full_name=about.fullName or about.name or "",
        version=about.version or "",
        build=about.build or "",
        api_version=about.apiVersion or "",
        api_type=about.apiType or "",
        instance_uuid=about.instanceUuid or "",
    )


def judge_version(about: About) -> Verdict:
    """Say whether we work with this server: 7 and 8 yes, 6.7 and newer than tested with a warning."""
    if about.api_type != "VirtualCenter":
        return Verdict("refused", f"This is {about.full_name}, not a vCenter: clones need vCenter.")
    numbers = version_numbers(about.version)
    if not numbers:
        return Verdict("refused", f"The server reports no version that we understand: “{about.version}”.")
    if numbers[0] > NEWEST_TESTED:
        return Verdict(
            "warning", f"vCenter {about.version} is newer than the versions we have tested (7.0 and 8.0)."
        )
    if numbers[0] >= 7:
        return Verdict("ok", f"vCenter {about.version} is supported.")
    if numbers[:2] == (6, 7):
        return Verdict("warning", f"vCenter {about.version} has reached its end of support; upgrade it soon.")
    return Verdict("refused", f"vCenter {about.version} is too old: 7.0 or 8.0 is needed.")


def check_version(about: About) -> Verdict:
    """The verdict, or NotVCenter / VersionRefused when it is a refusal."""
    verdict = judge_version(about)
    if verdict.level != "refused":
        return verdict
    if about.api_type != "VirtualCenter":
        raise NotVCenter(verdict.sentence)
    raise VersionRefused(verdict.sentence)


def version_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def clock_skew(vcenter: Clocked) -> timedelta:
    """How far vCenter's clock is ahead of ours (negative: behind), without the time the call took."""
    before = datetime.now(UTC)
    theirs = vcenter.service_instance.CurrentTime()
    after = datetime.now(UTC)
    skew: timedelta = theirs - (before + (after - before) / 2)
    return skew
