"""Publish a release of gateways: data, checked once, never edited afterwards."""

import re
from dataclasses import dataclass

from django.db import transaction

from clusters.models import Cluster
from gateways.models import GatewayRelease, PrivateCloudGateway
from gateways.releases import follows, minor, next_release, numbers, published_releases
from gateways.states import GatewayState
from palette_portal.orchestration.actions import announce_subject
from palette_portal.tenants import audit

_VERSION = re.compile(r"(0|[1-9]\d{0,4})(\.(0|[1-9]\d{0,4})){2}")
_TEMPLATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class ReleaseValues:
    """`image_template` is the name of the node image in each vCenter's spectro-templates folder."""

    version: str
    kubernetes_version: str
    image_template: str
    os_image: str
    notes: str


class ReleaseRefused(Exception):
    """`reason` is a sentence for the operator."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@transaction.atomic
def publish_release(values: ReleaseValues) -> tuple[GatewayRelease, list[PrivateCloudGateway]]:
    """Return it with the gateways that can be upgraded to it now. Raise ReleaseRefused."""
    # Two operators publish one after the other.
    earlier = list(GatewayRelease.objects.select_for_update())
    _check_shape(values)
    _check_order(values, earlier)
    release = GatewayRelease.objects.create(**vars(values))
    releases = published_releases()
    running = PrivateCloudGateway.objects.filter(state=GatewayState.RUNNING, is_system=False)
    served = [
        gateway
        for gateway in running.select_related("release", "tenant")
        if next_release(gateway, releases) == release
    ]
    for gateway in served:
        _tell(gateway, release)
    return release, served


def _check_shape(values: ReleaseValues) -> None:
    for name, version in (("version", values.version), ("Kubernetes version", values.kubernetes_version)):
        if not _VERSION.fullmatch(version):
            raise ReleaseRefused(f"{version!r} is no {name}: give three numbers, such as 1.31.2.")
    if not _TEMPLATE.fullmatch(values.image_template):
        raise ReleaseRefused(
            f"{values.image_template!r} is no name of an image template: letters, digits, dots, dashes and "
            "underscores."
        )
    if not values.os_image.strip() or len(values.os_image) > 80:
        raise ReleaseRefused("Name the operating system of the image in 80 characters at most.")
    if not values.notes.strip():
        raise ReleaseRefused("Write notes: admins read them before they upgrade.")


def _check_order(values: ReleaseValues, earlier: list[GatewayRelease]) -> None:
    if any(release.version == values.version for release in earlier):
        raise ReleaseRefused(f"Release {values.version} is published already. Releases are never changed.")
    same = next((release for release in earlier if release.image_template == values.image_template), None)
    if same is not None:
        raise ReleaseRefused(
            f"Release {same.version} has the image template {values.image_template} already; a new release "
            "brings its own."
        )
    newest = max(earlier, key=lambda release: numbers(release.version), default=None)
    if newest is None:
        return
    if numbers(values.version) < numbers(newest.version):
        raise ReleaseRefused(
            f"Release {newest.version} is published already; a new one needs a higher version."
        )
    if numbers(values.kubernetes_version) < numbers(newest.kubernetes_version):
        raise ReleaseRefused(
            f"Kubernetes {values.kubernetes_version} is older than {newest.kubernetes_version} of release "
            f"{newest.version}, and clusters do not go back."
        )
    if not follows(minor(newest), numbers(values.kubernetes_version)[:2]):
        raise ReleaseRefused(
            f"Kubernetes goes up by one minor version at a time, and release {newest.version} has "
            f"{newest.kubernetes_version}. Publish a release in between first."
        )


def _tell(gateway: PrivateCloudGateway, release: GatewayRelease) -> None:
    for body in Cluster.objects.gateway_bodies().filter(gateway=gateway):
        announce_subject(body.subject)
    announce_subject(gateway.subject)
    audit.record(
        by=None,
        action="upgrade-available",
        obj_kind="gateway",
        obj_id=gateway.pk,
        obj_name=gateway.display_name,
        tenant=gateway.tenant,
        release=release.version,
    )
