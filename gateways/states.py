"""What a gateway can become, and why an action is not possible in its present state."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db import models

from palette_portal.http import Conflict
from palette_portal.orchestration.transitions import Transitions, move

if TYPE_CHECKING:
    from gateways.models import PrivateCloudGateway


class GatewayState(models.TextChoices):
    PENDING = "Pending"
    PROVISIONING = "Provisioning"
    RUNNING = "Running"
    DELETING = "Deleting"
    DELETED = "Deleted"
    ERROR = "Error"


GATEWAY_TRANSITIONS: Transitions = {
    GatewayState.PENDING: frozenset({GatewayState.PROVISIONING, GatewayState.DELETING, GatewayState.ERROR}),
    GatewayState.PROVISIONING: frozenset(
        {GatewayState.RUNNING, GatewayState.PENDING, GatewayState.DELETING, GatewayState.ERROR}
    ),
    GatewayState.RUNNING: frozenset({GatewayState.DELETING, GatewayState.ERROR}),
    GatewayState.ERROR: frozenset({GatewayState.PENDING, GatewayState.RUNNING, GatewayState.DELETING}),
    GatewayState.DELETING: frozenset({GatewayState.DELETED}),
    GatewayState.DELETED: frozenset(),
}


def move_gateway(gateway: "PrivateCloudGateway", new_state: GatewayState, **changes: Any) -> None:
    move(gateway, GATEWAY_TRANSITIONS, new_state, **changes)


def reason_against_state(
    check: "Callable[[PrivateCloudGateway], None]", gateway: "PrivateCloudGateway"
) -> str:
    """What `check` raises, empty if it does not."""
    try:
        check(gateway)
    except Conflict as conflict:
        return conflict.reason
    return ""


def check_is_not_system(gateway: "PrivateCloudGateway") -> None:
    """Raise Conflict for the portal's own gateway, which has no life of its own."""
    if gateway.is_system:
        raise Conflict(
            "The system gateway is the portal itself: it has no virtual machines, and it stays as it is."
        )


def check_configurable(gateway: "PrivateCloudGateway") -> None:
    """Raise Conflict with the reason while the Configure wizard is not open for this gateway."""
    check_is_not_system(gateway)
    if gateway.registered_at is None:
        raise Conflict("The installer has not registered yet. Deploy it in vSphere and power it on first.")
    if gateway.state != GatewayState.PENDING:
        raise Conflict(f"The gateway is {gateway.state} already; only a Pending gateway can be configured.")


def check_pairable(gateway: "PrivateCloudGateway") -> None:
    """Raise Conflict with the reason when the gateway takes no new pairing code."""
    check_is_not_system(gateway)
    if gateway.registered_at is not None:
        raise Conflict("The installer has registered already; it needs no pairing code any more.")
    if gateway.state not in (GatewayState.PENDING, GatewayState.ERROR):
        raise Conflict(f"The gateway is {gateway.state}; only a Pending gateway takes an installer.")


def check_resettable(gateway: "PrivateCloudGateway") -> None:
    """Raise Conflict with the reason when there is no provisioning to take back."""
    check_is_not_system(gateway)
    if gateway.state not in (GatewayState.PROVISIONING, GatewayState.ERROR):
        raise Conflict(_NO_RESET.get(gateway.state, f"The gateway is {gateway.state}."))


def check_resizable(gateway: "PrivateCloudGateway", size: int = 3) -> None:
    """Raise Conflict with the reason when the gateway cannot get so many nodes now."""
    check_is_not_system(gateway)
    if size < gateway.size:
        raise Conflict(NO_SHRINKING)
    if size == gateway.size:
        raise Conflict("The gateway has three nodes already. Three nodes cannot become one.")
    if gateway.upgrading_to_id is not None:
        raise Conflict("The gateway is being upgraded. Resize it when that has ended.")
    if gateway.state != GatewayState.RUNNING:
        raise Conflict(f"The gateway is {gateway.state}; only a Running gateway can be resized.")


NO_SHRINKING = (
    "Three nodes cannot become one: together they hold the gateway cluster's data, and what two of them "
    "take with them would be lost. Delete the gateway and create a smaller one."
)


def check_deletable(gateway: "PrivateCloudGateway") -> None:
    """Raise Conflict with the reason; that clusters use it is another question."""
    check_is_not_system(gateway)
    if gateway.state == GatewayState.DELETING:
        raise Conflict("The gateway is being deleted already.")
    if gateway.state == GatewayState.DELETED:
        raise Conflict("The gateway is deleted already.")


def check_serving(gateway: "PrivateCloudGateway") -> None:
    """Raise Conflict with the reason when no cluster can be deployed through it."""
    if gateway.state != GatewayState.RUNNING:
        raise Conflict(f"The gateway {gateway} is {gateway.state}; clusters need one that is Running.")


def check_renamable(gateway: "PrivateCloudGateway") -> None:
    """Raise Conflict with the reason while the gateway goes."""
    check_is_not_system(gateway)
    if gateway.state in (GatewayState.DELETING, GatewayState.DELETED):
        raise Conflict("A gateway that is deleted keeps its name.")


_NO_RESET: dict[str, str] = {
    GatewayState.PENDING: "There is nothing to reset: the gateway is not being provisioned.",
    GatewayState.RUNNING: "The gateway is running. Reset takes back a provisioning that is not finished.",
    GatewayState.DELETING: "The gateway is being deleted.",
}
