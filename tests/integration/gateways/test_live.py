from uuid import uuid4

import pytest

from gateways.live import GatewayChannel
from palette_portal.tenants.roles import Role
from tests.factories import amelia, bao, make_gateway, make_user

pytestmark = pytest.mark.django_db


def test_list_is_streamed_to_those_who_may_see_gateways() -> None:
    gateway = make_gateway()

    for user in (amelia(), make_user("sam", Role.SUPPORT)):
        subscription = GatewayChannel().open(user, {}, {})

        assert subscription is not None
        assert [gateway.name in message.html for message in subscription.snapshot()] == [True]


def test_list_is_not_streamed_to_project_roles() -> None:
    assert GatewayChannel().open(bao(), {}, {}) is None


def test_installation_of_something_else_than_an_id_has_no_stream() -> None:
    admin = amelia()

    assert GatewayChannel().open(admin, {}, {"install": "nonsense"}) is None
    assert GatewayChannel().open(admin, {}, {"install": str(uuid4())}) is not None
