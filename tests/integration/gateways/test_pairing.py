from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError
from django.utils import timezone

from gateways.actions.pairing import (
    Registration,
    RegistrationRefused,
    create_gateway,
    find_installer,
    normalise_code,
    record_heartbeat,
    regenerate_pairing_code,
    register_installer,
)
from gateways.models import PairingCode, PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Event
from palette_portal.tenants.models import AuditRow, User
from tests.factories import amelia, make_gateway

pytestmark = pytest.mark.django_db


def registration(code: str, **fields: object) -> Registration:
    values = {
        "name": "dc-east",
        "ip_address": "10.10.0.9",
        "version": "1.0.0",
        "instance_uuid": uuid4(),
        **fields,
    }
    return Registration(pairing_code=code, **values)  # type: ignore[arg-type]


@pytest.fixture
def admin() -> User:
    return amelia()


def test_create_gateway_keeps_only_a_hash_of_its_code(admin: User) -> None:
    gateway, code = create_gateway(tenant=admin.tenant, by=admin)

    kept = PairingCode.objects.get()
    assert normalise_code(code) not in kept.code_hash
    assert gateway.state == GatewayState.PENDING
    assert AuditRow.objects.get().action == "create"


def test_register_finds_the_gateway_by_its_code(admin: User) -> None:
    gateway, code = create_gateway(tenant=admin.tenant, by=admin)

    found, token = register_installer(registration(code))

    assert found == gateway
    assert (found.name, found.installer_ip) == ("dc-east", "10.10.0.9")
    assert find_installer(gateway.pk, token) == gateway
    assert Event.objects.get().reason == "InstallerRegistered"


def test_register_takes_a_code_typed_carelessly(admin: User) -> None:
    gateway, code = create_gateway(tenant=admin.tenant, by=admin)

    found, _ = register_installer(registration(f" {code.lower().replace('-', '').replace('0', 'o')} "))

    assert found == gateway


def test_register_with_an_unknown_code_is_refused() -> None:
    with pytest.raises(RegistrationRefused) as refused:
        register_installer(registration("0000-0000-0000"))

    assert refused.value.code == "InvalidPairingCode"


def test_register_with_an_expired_code_is_refused(admin: User) -> None:
    gateway, code = create_gateway(tenant=admin.tenant, by=admin)
    PairingCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    with pytest.raises(RegistrationRefused) as refused:
        register_installer(registration(code))

    assert refused.value.code == "PairingCodeExpired"
    gateway.refresh_from_db()
    assert gateway.registered_at is None


def test_register_with_a_code_another_installer_used_is_refused(admin: User) -> None:
    _, code = create_gateway(tenant=admin.tenant, by=admin)
    register_installer(registration(code))

    with pytest.raises(RegistrationRefused) as refused:
        register_installer(registration(code))

    assert refused.value.code == "PairingCodeUsed"


def test_register_again_after_a_lost_answer_is_the_same_gateway(admin: User) -> None:
    _, code = create_gateway(tenant=admin.tenant, by=admin)
    same = registration(code)
    first, lost_token = register_installer(same)

    second, token = register_installer(same)

    assert first == second
    assert find_installer(first.pk, lost_token) is None
    assert find_installer(first.pk, token) == first
    assert Event.objects.count() == 1


def test_register_again_once_the_token_was_used_is_refused(admin: User) -> None:
    _, code = create_gateway(tenant=admin.tenant, by=admin)
    same = registration(code)
    gateway, _ = register_installer(same)
    record_heartbeat(gateway=gateway, ip_address="10.10.0.9", version="1.0.0")

    with pytest.raises(RegistrationRefused):
        register_installer(same)


def test_register_again_after_the_gateway_was_deleted_is_refused(admin: User) -> None:
    gateway, code = create_gateway(tenant=admin.tenant, by=admin)
    register_installer(same := registration(code))
    PrivateCloudGateway.objects.filter(pk=gateway.pk).update(state=GatewayState.DELETED)

    with pytest.raises(RegistrationRefused):
        register_installer(same)


def test_register_with_a_name_in_use_gets_the_next_free_one(admin: User) -> None:
    make_gateway(name="dc-east")
    _, code = create_gateway(tenant=admin.tenant, by=admin)

    gateway, _ = register_installer(registration(code))

    assert gateway.name == "dc-east-2"


def test_regenerate_revokes_the_code_before(admin: User) -> None:
    gateway, old = create_gateway(tenant=admin.tenant, by=admin)
    new = regenerate_pairing_code(gateway=gateway, by=admin)

    with pytest.raises(RegistrationRefused):
        register_installer(registration(old))
    assert register_installer(registration(new))[0] == gateway


def test_regenerate_after_registration_is_refused(admin: User) -> None:
    gateway = make_gateway(admin.tenant)

    with pytest.raises(Conflict, match="registered already"):
        regenerate_pairing_code(gateway=gateway, by=admin)


def test_heartbeat_from_another_address_is_told(admin: User) -> None:
    gateway = make_gateway(admin.tenant, installer_ip="10.10.0.9")

    record_heartbeat(gateway=gateway, ip_address="10.10.0.10", version="1.0.1")

    gateway.refresh_from_db()
    assert (gateway.installer_ip, gateway.installer_version) == ("10.10.0.10", "1.0.1")
    assert Event.objects.get().reason == "InstallerAddressChanged"


def test_heartbeat_from_the_same_address_is_no_event(admin: User) -> None:
    gateway = make_gateway(admin.tenant, installer_ip="10.10.0.9")

    record_heartbeat(gateway=gateway, ip_address="10.10.0.9", version="1.0.0")

    assert not Event.objects.exists()


@pytest.mark.parametrize(
    "broken",
    [
        {"size": 2},
        {"registered_at": timezone.now(), "installer_token_hash": ""},
        {"registered_at": None, "installer_token_hash": "x"},
    ],
)
def test_gateway_constraints_refuse(admin: User, broken: dict[str, object]) -> None:
    with pytest.raises(IntegrityError):
        PrivateCloudGateway.objects.create(tenant=admin.tenant, **broken)


def test_gateway_names_are_unique_in_the_tenant(admin: User) -> None:
    make_gateway(admin.tenant, name="dc-east")

    with pytest.raises(IntegrityError):
        make_gateway(admin.tenant, name="dc-east")
