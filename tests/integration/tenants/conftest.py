import pytest
from django.test import Client

from palette_portal.tenants.models import User
from tests.factories import amelia


@pytest.fixture
def admin(client: Client) -> User:
    """Amelia, signed in."""
    user = amelia()
    client.force_login(user)
    return user
