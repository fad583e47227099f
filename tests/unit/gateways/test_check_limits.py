import socket

import pytest
from pytest_django import Settings

from gateways import check_limits
from gateways.check_limits import CHECKS_PER_MINUTE, CheckRefused, check_allowed
from palette_portal.tenants.models import User

AMELIA, CARLA = User(pk=1), User(pk=2)


@pytest.fixture(autouse=True)
def _clock_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_limits, "time", lambda: 600.0)
    leads_to(monkeypatch, "10.10.0.5")


def leads_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [(0, 0, 0, "", (address, 443)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: found)


def use_up(user: User) -> None:
    for _ in range(CHECKS_PER_MINUTE):
        check_allowed(by=user, server="vcenter.acme.test")


def test_one_check_too_many_within_a_minute_is_refused() -> None:
    use_up(AMELIA)

    with pytest.raises(CheckRefused, match="Wait a minute"):
        check_allowed(by=AMELIA, server="vcenter.acme.test")


def test_limit_is_per_person_and_ends_with_the_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    use_up(AMELIA)

    check_allowed(by=CARLA, server="vcenter.acme.test")
    monkeypatch.setattr(check_limits, "time", lambda: 660.0)
    check_allowed(by=AMELIA, server="vcenter.acme.test")


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fe80::1%eth0"])
def test_name_that_leads_to_a_denied_network_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads_to(monkeypatch, "10.10.0.5", address)

    with pytest.raises(CheckRefused, match="does not connect to addresses of that network"):
        check_allowed(by=AMELIA, server="harmless.acme.test")


def test_denied_networks_are_a_setting(settings: Settings) -> None:
    settings.VSPHERE_DENIED_NETWORKS = ["10.0.0.0/8"]

    with pytest.raises(CheckRefused, match=r"leads to 10\.10\.0\.5"):
        check_allowed(by=AMELIA, server="vcenter.acme.test")


def test_name_without_an_address_is_left_to_the_check_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    check_allowed(by=AMELIA, server="no-such-name.acme.test")
