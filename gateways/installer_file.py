"""Where the gateway-installer link leads: elsewhere, or to an OVA that the portal serves itself."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.urls import reverse

CONTENT_TYPE = "application/ovf"


@dataclass(frozen=True)
class InstallerLink:
    """Either a URL, or what is wrong."""

    url: str = ""
    problem: str = ""


def installer_link() -> InstallerLink:
    if settings.GATEWAY_INSTALLER_URL:
        return InstallerLink(url=settings.GATEWAY_INSTALLER_URL)
    problem = file_problem()
    return InstallerLink(url="" if problem else served_url(), problem=problem)


def served_url() -> str:
    return f"{settings.PUBLIC_URL}{reverse('installer-download')}"


def file_problem() -> str:
    """Why the portal itself has no OVA to serve; for everybody, so without the path."""
    if not settings.GATEWAY_INSTALLER_FILE:
        return "This portal has no gateway installer yet."
    if not installer_file().is_file():
        return "The file that GATEWAY_INSTALLER_FILE names does not exist."
    return ""


def installer_file() -> Path:
    return Path(settings.GATEWAY_INSTALLER_FILE)
