"""From the draft of the Configure wizard to what has to be checked for it."""

import json
from hashlib import sha256

from django.utils import timezone

from clusters.names import machine_name
from gateways.addresses import NEW_POOL, find_pool
from gateways.drafts import ADDRESSES, PLACEMENT, page_values
from gateways.models import ConfigureDraft, GatewayRelease, PrerequisiteReport, PrivateCloudGateway
from gateways.placement import NODE
from gateways.prerequisites.actions import latest_report, start_check
from gateways.prerequisites.scope import Place, Scope, WantedMachine
from ippools.models import IPPool
from ippools.reservations import Reservation, control_plane
from palette_portal.tenants.models import User


def fingerprint_of(draft: ConfigureDraft) -> str:
    """Changes with every choice, so a report says whether it is about what would be confirmed now."""
    return sha256(json.dumps(draft.pages, sort_keys=True).encode()).hexdigest()


def report_of(draft: ConfigureDraft) -> PrerequisiteReport | None:
    """The newest report about exactly what the draft says."""
    return latest_report(gateway=draft.gateway, fingerprint=fingerprint_of(draft))


def check_draft(draft: ConfigureDraft, *, by: User) -> PrerequisiteReport:
    """Start it; all pages of the draft are complete."""
    return start_check(
        gateway=draft.gateway,
        scope=scope_of(draft),
        deployment=f"Gateway {draft.gateway}",
        fingerprint=fingerprint_of(draft),
        by=by,
    )


def scope_of(draft: ConfigureDraft) -> Scope:
    placement, gateway = page_values(draft, PLACEMENT), draft.gateway
    place = Place(
        zone="",
        compute_cluster_moid=placement["compute_cluster"],
        resource_pool_moid=placement["resource_pool"],
        datastore_moid=placement["datastore"],
        network_moid=placement["network"],
    )
    return Scope(
        datacenter_moid=placement["datacenter"],
        folder_moid=placement["folder"],
        image_template=_image_template(gateway),
        places=(place,),
        machines=tuple(
            WantedMachine(
                machine_name(gateway.display_name, pool="cp", index=index),
                NODE.num_cpus,
                NODE.memory_mib,
                NODE.disk_gib,
            )
            for index in range(1, placement["nodes"] + 1)
        ),
        addresses=_addresses(draft, placement["nodes"]),
    )


def _image_template(gateway: PrivateCloudGateway) -> str:
    published = GatewayRelease.objects.filter(published_at__lte=timezone.now())
    release = gateway.release or published.first()
    return release.image_template if release else ""


def _addresses(draft: ConfigureDraft, nodes: int) -> tuple[tuple[IPPool, Reservation], ...]:
    """A pool that does not exist yet was checked on its page."""
    pool_id = page_values(draft, ADDRESSES).get("pool", "")
    if page_values(draft, ADDRESSES)["scheme"] != "static" or pool_id == NEW_POOL:
        return ()
    try:
        return ((find_pool(draft.gateway, pool_id), control_plane(nodes)),)
    except IPPool.DoesNotExist:
        return ()
