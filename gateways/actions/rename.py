"""Rename a gateway. What was made under the old name, cluster and virtual machines, keeps it."""

from django.db import IntegrityError, transaction

from clusters.models import Cluster
from gateways.installer.rules import find_problems
from gateways.models import PrivateCloudGateway
from gateways.states import check_renamable
from palette_portal.orchestration.actions import announce_subject, record_event
from palette_portal.orchestration.models import Severity
from palette_portal.tenants import audit
from palette_portal.tenants.models import User

# The name is one that an installer could have brought along.
_PROPERTY = "palette.installer_name"


class NameRefused(Exception):
    """`reason` is the sentence at the field."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@transaction.atomic
def rename_gateway(*, gateway: PrivateCloudGateway, name: str, by: User) -> None:
    """Raise NameRefused, or Conflict while the gateway goes. The same name again changes nothing."""
    name = name.strip()
    gateway = (
        PrivateCloudGateway.objects.select_related("tenant")
        .select_for_update(of=("self",), no_key=True)
        .get(pk=gateway.pk)
    )
    check_renamable(gateway)
    if problem := _problem(name):
        raise NameRefused(problem)
    old = gateway.display_name
    if name == gateway.name:
        return
    _save(gateway, name)
    audit.record(
        by=by,
        action="rename",
        obj_kind="gateway",
        obj_id=gateway.pk,
        obj_name=name,
        tenant=gateway.tenant,
        was=old,
    )
    _tell(gateway, f"{by} renamed the gateway {old} to {name}.")


def _problem(name: str) -> str:
    if not name:
        return "Enter a name."
    return find_problems({_PROPERTY: name}).get(_PROPERTY, "")


def _save(gateway: PrivateCloudGateway, name: str) -> None:
    gateway.name = name
    try:
        with transaction.atomic():
            gateway.save(update_fields=["name"])
    except IntegrityError as error:
        if "gateway_name_unique_in_tenant" not in str(error):
            raise
        raise NameRefused(f"Another gateway is called {name}.") from error


def _tell(gateway: PrivateCloudGateway, sentence: str) -> None:
    """In the log that people read: the cluster's, when there is one."""
    announce_subject(gateway.subject)
    body = Cluster.objects.gateway_bodies().filter(gateway=gateway).first()
    record_event(
        subject=body.subject if body else gateway.subject,
        severity=Severity.INFO,
        reason="GatewayRenamed",
        message=sentence,
        object_kind="gateway",
        object_name=gateway.name,
    )
