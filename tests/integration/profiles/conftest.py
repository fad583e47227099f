import pytest

from tests.factories import amelia


@pytest.fixture
def admin(client):
    user = amelia()
    client.force_login(user)
    return user
