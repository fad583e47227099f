import pytest

from gateways.states import GatewayState
from tests.factories import amelia, make_gateway
from tests.integration.gateways.account_pages import make_account
from tests.lab.fixtures import lab, lab_server  # noqa: F401


@pytest.fixture
def admin(client):
    user = amelia()
    client.force_login(user)
    return user


@pytest.fixture
def gateway(db):
    return make_gateway(name="dc-east", state=GatewayState.RUNNING)


@pytest.fixture
def account(admin, gateway, lab):  # noqa: F811
    """An account that works."""
    return make_account(gateway, lab)
