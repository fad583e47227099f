"""Deploy a cluster of a project. What a page checked may be old, so everything is checked here again."""

from django.db import IntegrityError, transaction

from clusters.actions.provision import ClusterRequest, PoolRequest, provision_cluster
from clusters.actions.stacks import check_stack
from clusters.models import MASTER_SIZES, Cluster, ClusterPurpose
from gateways.models import CloudAccount, PrivateCloudGateway
from gateways.states import check_serving
from palette_portal.http import Conflict
from palette_portal.tenants import audit
from palette_portal.tenants.models import Project, User
from palette_portal.tenants.permissions import Permission, check


def deploy_cluster(*, request: ClusterRequest, by: User) -> Cluster:
    """Raise Denied, or Conflict (PoolReserved, PoolExhausted are some) with the sentence for the page."""
    try:
        return _deploy(request, by)
    except IntegrityError as error:
        if "cluster_name_unique_in_scope" in str(error):
            raise _name_taken(request) from error
        raise


@transaction.atomic
def _deploy(request: ClusterRequest, by: User) -> Cluster:
    project = _project(request)
    check(by, Permission.DEPLOY_CLUSTERS, project=project)
    check_request(request)
    # Nobody deletes the gateway meanwhile.
    check_serving(PrivateCloudGateway.objects.select_for_update(no_key=True).get(pk=request.gateway.pk))
    cluster, _operation = provision_cluster(request=request, by=by)
    audit.record(
        by=by,
        action="deploy",
        obj_kind="cluster",
        obj_id=cluster.pk,
        obj_name=cluster.name,
        tenant=project.tenant,
        project=project,
        gateway=request.gateway.display_name,
        profile=str(request.profile_version),
        add_ons=[str(add_on.version) for add_on in request.add_ons],
        nodes=sum(pool.size for pool in request.pools),
    )
    return cluster


def check_request(request: ClusterRequest) -> None:
    """Raise Conflict with what is wrong with it; whether vCenter has room is another question."""
    project = _project(request)
    if Cluster.objects.present().filter(project=project, name=request.name).exists():
        raise _name_taken(request)
    _check_account(request, project)
    _check_profile(request, project)
    _check_node_pools(request)
    _check_ip_pools(request)


def _project(request: ClusterRequest) -> Project:
    if request.project is None or request.purpose != ClusterPurpose.TENANT:
        raise Conflict("A cluster is deployed into a project: choose one.")
    return request.project


def _name_taken(request: ClusterRequest) -> Conflict:
    return Conflict(f"The project {request.project} has a cluster {request.name} already.")


def _check_account(request: ClusterRequest, project: Project) -> None:
    account = request.cloud_account
    if not CloudAccount.objects.usable_in(project).filter(pk=account.pk).exists():
        raise Conflict(f"The project {project} may not use the cloud account {account}.")
    if account.gateway_id != request.gateway.pk:
        raise Conflict(f"The cloud account {account} is reached through another gateway.")


def _check_profile(request: ClusterRequest, project: Project) -> None:
    stack = request.stack
    if stack is None or not request.layers:
        raise Conflict("Choose a cluster profile.")
    check_stack(stack, project)


def _check_node_pools(request: ClusterRequest) -> None:
    masters = [pool for pool in request.pools if pool.is_control_plane]
    if len(masters) != 1 or masters[0].size not in MASTER_SIZES:
        raise Conflict("A cluster has one master pool of 1, 3 or 5 nodes.")
    if not any(pool.takes_workloads for pool in request.pools):
        raise Conflict("Add a worker pool, or allow the master pool to take workloads.")
    names = [pool.name for pool in request.pools]
    if len(set(names)) < len(names):
        raise Conflict("Each node pool needs a name of its own.")
    for pool in request.pools:
        _check_node_pool(pool)


def _check_node_pool(pool: PoolRequest) -> None:
    if pool.size < 1 or not pool.placements:
        raise Conflict(f"The pool {pool.name} needs at least one node and one availability zone.")
    if pool.moves == (0, 0):
        raise Conflict(f"The pool {pool.name} cannot be renewed with neither surge nor unavailable nodes.")
    scaling = pool.autoscaling
    if scaling is None:
        return
    if pool.is_control_plane:
        raise Conflict("The master pool cannot scale by itself.")
    if not 1 <= scaling.minimum <= pool.size <= scaling.maximum:
        raise Conflict(f"The size of {pool.name} has to be between its minimum and its maximum.")


def _check_ip_pools(request: ClusterRequest) -> None:
    for ip_pool in request.reservations:
        if ip_pool.gateway_id != request.gateway.pk:
            raise Conflict(f"The IP pool {ip_pool.name} belongs to another gateway.")
