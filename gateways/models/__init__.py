from gateways.models.accounts import Availability, CloudAccount, CloudAccountQuerySet, LoginState
from gateways.models.gateways import (
    GatewayQuerySet,
    GatewayRelease,
    PairingCode,
    PrivateCloudGateway,
)
from gateways.models.pages import (
    SHARED_FOR,
    ConfigureDraft,
    PrerequisiteReport,
    _empty,
)

__all__ = [
    "SHARED_FOR",
    "Availability",
    "CloudAccount",
    "CloudAccountQuerySet",
    "ConfigureDraft",
    "GatewayQuerySet",
    "GatewayRelease",
    "LoginState",
    "PairingCode",
    "PrerequisiteReport",
    "PrivateCloudGateway",
    # Migrations name it as a default.
    "_empty",
]
