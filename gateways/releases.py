"""Which release of a gateway follows which: versions are compared as numbers."""

from collections.abc import Iterable

from django.utils import timezone

from gateways.models import GatewayRelease, PrivateCloudGateway
from gateways.states import GatewayState


def numbers(version: str) -> tuple[int, ...]:
    """(1, 31, 2) of "1.31.2"."""
    return tuple(int(part) for part in version.split("."))


def minor(release: GatewayRelease) -> tuple[int, ...]:
    """Of its Kubernetes."""
    return numbers(release.kubernetes_version)[:2]


def published_releases() -> list[GatewayRelease]:
    """Newest first."""
    return list(GatewayRelease.objects.filter(published_at__lte=timezone.now()))


def next_release(gateway: PrivateCloudGateway, releases: Iterable[GatewayRelease]) -> GatewayRelease | None:
    """What the gateway can be upgraded to: the newest, but not past a minor version of Kubernetes."""
    now = gateway.release
    if now is None or gateway.is_system or gateway.state != GatewayState.RUNNING or gateway.upgrading_to_id:
        return None
    newer = [release for release in releases if numbers(release.version) > numbers(now.version)]
    return next((release for release in newer if follows(minor(now), minor(release))), None)


def follows(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Whether kubeadm takes a cluster from one minor version to the other in one go."""
    return old[0] == new[0] and 0 <= new[1] - old[1] <= 1
