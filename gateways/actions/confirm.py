"""Confirm: what the Configure wizard collected becomes an account, a pool and a cluster that is provisioned.

However often and from how many tabs it is pressed, one operation starts.
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from clusters.actions.provision import ClusterRequest, PlacementRequest, PoolRequest, provision_cluster
from clusters.models import AddressAllocation, Cluster, ClusterPurpose, PoolRole
from clusters.plan import NODES_READY
from gateways.addresses import NEW_POOL, cluster_networks, find_pool, occupied_networks, pool_values
from gateways.drafts import (
    ADDRESSES,
    PLACEMENT,
    VCENTER,
    credentials_of,
    first_incomplete,
    get_draft,
    open_reason,
    page_values,
)
from gateways.logins import accepted
from gateways.models import CloudAccount, ConfigureDraft, GatewayRelease, PrivateCloudGateway
from gateways.networks import NetworksOverlap
from gateways.placement import CHOICES, NODE, TITLES, Choices, fetch_inventory, lacking_disk
from gateways.prerequisites.configuring import report_of
from gateways.prerequisites.report import Report
from gateways.states import GatewayState, check_configurable, move_gateway
from gateways.vcenter_checks import VCenterRefused, verify_vcenter
from ippools.actions import InvalidPool, PoolsOverlap, PoolUnavailable, check_pools_fit, create_pool
from ippools.models import IPPool
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import announce_subject
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants import audit
from palette_portal.tenants.models import User
from palette_portal.vsphere.errors import VSphereError

HEALTH_REGISTERED, GATEWAY_RUNNING = "gateway-health-registered", "gateway-running"
EXTRA_STEPS = (
    StepSpec(
        key=HEALTH_REGISTERED,
        title="Register gateway health",
        function="gateways.steps.ensure_gateway_health_registered",
        depends_on=(NODES_READY,),
    ),
    StepSpec(
        key=GATEWAY_RUNNING,
        title="Bring the gateway into service",
        function="gateways.steps.ensure_gateway_running",
        depends_on=(HEALTH_REGISTERED,),
    ),
)


class ConfigurationRefused(Exception):
    """Something is no longer as the wizard saw it; `page` is where it can be put right."""

    def __init__(self, page: str, reason: str) -> None:
        super().__init__(reason)
        self.page = page
        self.reason = reason


class AlreadyConfirmed(Exception):
    def __init__(self, cluster: Cluster) -> None:
        super().__init__(f"{cluster} exists already.")
        self.cluster = cluster


@dataclass(frozen=True)
class Configuration:
    """The draft's complete pages."""

    draft: ConfigureDraft
    placement: dict[str, Any]
    addresses: dict[str, Any]


def confirm_configuration(*, gateway: PrivateCloudGateway, by: User) -> Cluster:
    """Raise AlreadyConfirmed, Conflict, or ConfigurationRefused with the page that has to be changed."""
    _check_open(gateway)
    configuration = _complete_configuration(gateway)
    _check_vcenter(configuration)
    _check_prerequisites(configuration)
    return _confirm(gateway, configuration, by)


def _check_open(gateway: PrivateCloudGateway) -> None:
    body = Cluster.objects.gateway_bodies().filter(gateway=gateway).first()
    if body is not None:
        raise AlreadyConfirmed(body)
    check_configurable(gateway)


def _complete_configuration(gateway: PrivateCloudGateway) -> Configuration:
    draft = get_draft(gateway)
    incomplete = first_incomplete(draft)
    if incomplete:
        raise ConfigurationRefused(
            incomplete, open_reason(draft, incomplete) or "This page is not filled in yet."
        )
    return Configuration(draft, page_values(draft, PLACEMENT), page_values(draft, ADDRESSES))


def _check_vcenter(configuration: Configuration) -> None:
    """The draft may be days old: log in and look for what was chosen."""
    draft = configuration.draft
    try:
        verify_vcenter(credentials_of(draft), trusted_thumbprint=draft.vcenter["pinned_thumbprint"])
        choices = Choices(fetch_inventory(draft))
    except VCenterRefused as error:
        raise ConfigurationRefused(VCENTER, error.reason) from error
    except VSphereError as error:
        raise ConfigurationRefused(VCENTER, f"{error.sentence} {error.hint}".strip()) from error
    _check_placement(choices, configuration.placement)


def _check_prerequisites(configuration: Configuration) -> None:
    """Failures in a report about these very choices; without a report what was looked at suffices."""
    report = report_of(configuration.draft)
    failed = Report.from_json(report.content).failed if report and report.level == "failed" else ()
    if failed:
        more = f" {len(failed) - 1} more failed." if len(failed) > 1 else ""
        first = f"{failed[0].object_kind} {failed[0].object_name}: {failed[0].sentence}"
        reason = f"{first}{more} Put it right, then check the prerequisites again on this page."
        raise ConfigurationRefused(PLACEMENT, reason)


def _check_placement(choices: Choices, placement: dict[str, Any]) -> None:
    for choice in CHOICES:
        if not choices.name_of(choice, placement):
            name = placement["names"][choice]
            raise ConfigurationRefused(
                PLACEMENT, f"{TITLES[choice]} “{name}” is no longer available in vCenter."
            )
    problem = lacking_disk(choices.inventory, placement["datastore"], placement["nodes"])
    if problem:
        raise ConfigurationRefused(PLACEMENT, problem)


@transaction.atomic
def _confirm(gateway: PrivateCloudGateway, configuration: Configuration, by: User) -> Cluster:
    gateway = PrivateCloudGateway.objects.select_for_update(no_key=True).get(pk=gateway.pk)
    _check_open(gateway)
    _check_unchanged(configuration)
    gateway.vcenter_server = credentials_of(configuration.draft).server
    account = _save_account(gateway, configuration.draft, by)
    cluster, _operation = _provision(gateway, account, configuration, by)
    move_gateway(
        gateway,
        GatewayState.PROVISIONING,
        size=configuration.placement["nodes"],
        vcenter_server=gateway.vcenter_server,
        release=_release(gateway),
        error="",
    )
    announce_subject(gateway.subject)
    _forget_password(configuration.draft)
    _audit(gateway, cluster, by)
    return cluster


def _check_unchanged(configuration: Configuration) -> None:
    """What was checked in vCenter is what is confirmed, even if another tab saved a page meanwhile."""
    draft = ConfigureDraft.objects.select_for_update().get(pk=configuration.draft.pk)
    if (draft.pages, draft.password) != (configuration.draft.pages, configuration.draft.password):
        raise Conflict(
            "The configuration was changed in another tab meanwhile. Look it over and confirm again."
        )


def _save_account(gateway: PrivateCloudGateway, draft: ConfigureDraft, by: User) -> CloudAccount:
    """The gateway's default account; an earlier one, left by a reset, gets the new credentials."""
    credentials = credentials_of(draft)
    account = CloudAccount.objects.filter(gateway=gateway, is_default=True).first() or CloudAccount(
        tenant_id=gateway.tenant_id,
        gateway=gateway,
        is_default=True,
        created_by=by,
        name=_account_name(gateway),
    )
    account.vcenter_server = credentials.server
    account.username = credentials.username
    account.password = credentials.password
    account.thumbprint_sha256 = credentials.thumbprint_sha256
    account.vcenter_version = draft.vcenter["version"]
    for column, value in accepted().items():
        setattr(account, column, value)
    account.save()
    return account


def _account_name(gateway: PrivateCloudGateway) -> str:
    in_scope = CloudAccount.objects.filter(tenant_id=gateway.tenant_id, project=None)
    taken = set(in_scope.values_list("name", flat=True))
    wanted = gateway.display_name
    candidates = (wanted if n == 1 else f"{wanted}-{n}" for n in range(1, len(taken) + 2))
    return next(name for name in candidates if name not in taken)


def _provision(
    gateway: PrivateCloudGateway, account: CloudAccount, configuration: Configuration, by: User
) -> tuple[Cluster, Any]:
    try:
        check_pools_fit(gateway, gateway.vcenter_server)
        pool = _pool(gateway, configuration.addresses, by)
        request = _request(gateway, account, configuration, pool)
        return provision_cluster(request=request, extra_steps=EXTRA_STEPS, by=by)
    except (InvalidPool, NetworksOverlap, PoolUnavailable) as error:
        raise ConfigurationRefused(ADDRESSES, str(error)) from error
    except PoolsOverlap as error:
        raise ConfigurationRefused(ADDRESSES, error.reason) from error
    except IPPool.DoesNotExist as error:
        raise ConfigurationRefused(
            ADDRESSES, "The IP pool does not exist any more. Select another one."
        ) from error


def _pool(gateway: PrivateCloudGateway, addresses: dict[str, Any], by: User) -> IPPool | None:
    if addresses["scheme"] == AddressAllocation.DHCP:
        return None
    if addresses["pool"] != NEW_POOL:
        return find_pool(gateway, addresses["pool"])
    return create_pool(gateway=gateway, values=pool_values(addresses), by=by)


def _request(
    gateway: PrivateCloudGateway, account: CloudAccount, configuration: Configuration, pool: IPPool | None
) -> ClusterRequest:
    placement, addresses = configuration.placement, configuration.addresses
    networks = cluster_networks(gateway, occupied_networks(gateway, addresses))
    release = _release(gateway)
    return ClusterRequest(
        name=gateway.display_name,
        purpose=ClusterPurpose.GATEWAY,
        gateway=gateway,
        cloud_account=account,
        kubernetes_version=release.kubernetes_version,
        image_template=release.image_template,
        datacenter_moid=placement["datacenter"],
        datacenter_name=placement["names"]["datacenter"],
        folder_moid=placement["folder"],
        folder_name=placement["names"]["folder"],
        address_allocation=AddressAllocation(addresses["scheme"]),
        pools=(_machine_pool(placement, pool),),
        endpoint_host=addresses["control_plane_endpoint"] if pool is None else "",
        ssh_keys=tuple(placement["ssh_keys"]),
        ntp_servers=tuple(placement["ntp_servers"]),
        pod_cidr=str(networks.pods),
        service_cidr=str(networks.services),
    )


def _machine_pool(placement: dict[str, Any], pool: IPPool | None) -> PoolRequest:
    where = {
        f"{choice}_{column}": value
        for choice in ("compute_cluster", "resource_pool", "datastore", "network")
        for column, value in (("moid", placement[choice]), ("name", placement["names"][choice]))
    }
    return PoolRequest(
        name="master-pool",
        role=PoolRole.CONTROL_PLANE,
        size=placement["nodes"],
        num_cpus=NODE.num_cpus,
        memory_mib=NODE.memory_mib,
        disk_gib=NODE.disk_gib,
        placements=(PlacementRequest(**where),),
        ip_pool=pool,
    )


def _release(gateway: PrivateCloudGateway) -> GatewayRelease:
    release = gateway.release or GatewayRelease.objects.filter(published_at__lte=timezone.now()).first()
    if release is None:
        raise Conflict("No gateway release has been published yet: ask the portal's operator to publish one.")
    return release


def _forget_password(draft: ConfigureDraft) -> None:
    """From now on the cloud account holds it; two copies would drift apart."""
    ConfigureDraft.objects.filter(pk=draft.pk).update(password="")


def _audit(gateway: PrivateCloudGateway, cluster: Cluster, by: User) -> None:
    audit.record(
        by=by,
        action="configure",
        obj_kind="gateway",
        obj_id=gateway.pk,
        obj_name=gateway.display_name,
        tenant=gateway.tenant,
        cluster=str(cluster.pk),
        vcenter=gateway.vcenter_server,
        nodes=gateway.size,
    )
