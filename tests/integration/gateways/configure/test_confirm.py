"""Confirm: one operation however often it is pressed, and plain words for what changed meanwhile."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.urls import reverse

from clusters.models import Cluster
from gateways.actions.confirm import AlreadyConfirmed, confirm_configuration
from gateways.drafts import PLACEMENT
from gateways.models import CloudAccount, GatewayRelease, PrivateCloudGateway
from gateways.states import GatewayState
from ippools.models import IPPool
from palette_portal.http import Conflict
from palette_portal.orchestration.models import Event, Operation
from palette_portal.tenants.models import AuditRow, User
from tests.engine import make_waiting_steps_due, run_due_steps
from tests.factories import make_gateway, make_pool, make_release
from tests.integration.gateways.configure.walk import POOL, Walk, text_of
from tests.integration.provisioning.guests import Guests
from tests.lab.api import VSphere


def test_confirm_writes_what_the_wizard_collected(walk: Walk) -> None:
    walk.to_summary(nodes="3", ntp_servers="time.acme.test")

    walk.confirm()

    cluster = Cluster.objects.get(gateway=walk.gateway)
    assert cluster.name == walk.gateway.name
    assert cluster.ntp_servers == ["time.acme.test"]
    assert (cluster.pod_cidr, cluster.service_cidr) == ("10.244.0.0/16", "10.96.0.0/12")
    machine_pool = cluster.machine_pools.get()
    assert (machine_pool.size, machine_pool.num_cpus, machine_pool.memory_mib) == (3, 2, 4096)
    assert machine_pool.placements.get().network_name == "k8s-nodes"
    walk.gateway.refresh_from_db()
    assert (walk.gateway.size, walk.gateway.release.version) == (3, "1.0.0")
    assert AuditRow.objects.filter(action="configure", object_id=str(walk.gateway.pk)).count() == 1


def test_confirm_leaves_the_password_with_the_cloud_account_only(walk: Walk) -> None:
    walk.to_summary()

    walk.confirm()

    account = CloudAccount.objects.get(gateway=walk.gateway)
    assert account.password == walk.lab.password
    assert account.thumbprint_sha256 == walk.lab.thumbprint_sha256
    assert (account.is_default, account.vcenter_version) == (True, "8.0.3")
    assert walk.draft.password == ""


def test_confirm_with_dhcp_needs_no_pool(walk: Walk) -> None:
    walk.to_addresses()
    walk.accept("addresses", {"scheme": "dhcp", "control_plane_endpoint": "pcg.acme.test"})

    walk.confirm()

    cluster = Cluster.objects.get(gateway=walk.gateway)
    assert (cluster.address_allocation, cluster.endpoint_host) == ("dhcp", "pcg.acme.test")
    assert cluster.machine_pools.get().ip_pool is None
    assert not IPPool.objects.exists()


def test_confirm_with_a_known_pool_makes_no_other(walk: Walk) -> None:
    pool = make_pool(walk.gateway)
    walk.to_addresses()
    walk.accept("addresses", {"scheme": "static", "pool": str(pool.pk)})

    walk.confirm()

    assert Cluster.objects.get(gateway=walk.gateway).machine_pools.get().ip_pool == pool


def test_confirm_twice_makes_one_operation(walk: Walk) -> None:
    walk.to_summary()
    first = walk.confirm()

    second = walk.client.post(reverse("gateways:configure-confirm", args=[walk.gateway.pk]), follow=True)

    assert second.redirect_chain[0][0] == first.url
    assert "was started already" in text_of(second)
    assert Operation.objects.count() == Cluster.objects.count() == CloudAccount.objects.count() == 1


def test_confirm_of_a_gateway_that_runs_is_a_conflict(walk: Walk) -> None:
    PrivateCloudGateway.objects.filter(pk=walk.gateway.pk).update(state=GatewayState.RUNNING)

    assert walk.confirm().status_code == 409


def test_confirm_after_the_password_changed_names_the_page(walk: Walk) -> None:
    walk.to_summary()
    walk.lab.change_password("another-Passw0rd")

    response = walk.confirm()

    page = text_of(response)
    assert response.status_code == 422
    assert "refused the user name or password" in page
    assert f'href="{walk.url("vcenter")}"' in page
    assert_nothing_happened(walk)


def test_confirm_while_vcenter_is_down_says_so(walk: Walk) -> None:
    walk.to_summary()
    walk.lab.unreachable(600)

    response = walk.confirm()

    assert response.status_code == 422
    assert_nothing_happened(walk)


def test_confirm_after_a_folder_vanished_names_the_page(walk: Walk) -> None:
    walk.to_summary()
    draft = walk.draft
    draft.pages[PLACEMENT]["values"]["folder"] = "group-v999"
    draft.save()

    page = text_of(walk.confirm())

    assert "Folder “palette-gateways” is no longer available" in page
    assert f'href="{walk.url("placement")}"' in page
    assert_nothing_happened(walk)


def test_confirm_after_another_took_the_addresses_names_the_page(walk: Walk) -> None:
    walk.to_summary()
    make_pool(walk.gateway, name="quicker", start="10.10.183.20", end="10.10.183.30")

    page = text_of(walk.confirm())

    assert "overlap with the IP pool quicker" in page
    assert f'href="{walk.url("addresses")}"' in page
    assert_nothing_happened(walk)


def test_confirm_with_a_known_pool_that_has_addresses_of_another_on_the_vcenter_names_the_page(
    walk: Walk,
) -> None:
    pool = make_pool(walk.gateway, name="nodes")
    make_pool(make_gateway(name="dc-far", vcenter_server=walk.lab.server), name="machines")
    walk.to_addresses()
    walk.accept("addresses", {"scheme": "static", "pool": str(pool.pk)})

    page = text_of(walk.confirm())

    assert "of dc-far, which is on" in page
    assert f'href="{walk.url("addresses")}"' in page
    assert_nothing_happened(walk)


def test_confirm_after_the_pool_was_deleted_names_the_page(walk: Walk) -> None:
    pool = make_pool(walk.gateway)
    walk.to_addresses()
    walk.accept("addresses", {"scheme": "static", "pool": str(pool.pk)})
    pool.delete()

    page = text_of(walk.confirm())

    assert "does not exist any more" in page
    assert_nothing_happened(walk)


def test_confirm_before_all_pages_are_complete_names_the_first(walk: Walk) -> None:
    walk.to_addresses()

    response = walk.confirm()

    assert response.status_code == 422
    assert f'href="{walk.url("addresses")}"' in text_of(response)
    assert_nothing_happened(walk)


def test_confirm_without_a_release_says_whom_to_ask(walk: Walk) -> None:
    walk.to_summary()
    GatewayRelease.objects.all().delete()

    response = walk.confirm()

    assert response.status_code == 409
    assert "No gateway release" in text_of(response)


def test_confirm_after_a_reset_gives_the_account_the_new_credentials(walk: Walk) -> None:
    old = CloudAccount.objects.create(
        tenant=walk.gateway.tenant,
        gateway=walk.gateway,
        is_default=True,
        name="kept",
        vcenter_server="old.acme.test",
        username="old",
        password="old",
    )
    walk.to_summary()

    walk.confirm()

    account = CloudAccount.objects.get(gateway=walk.gateway)
    assert (account.pk, account.name, account.vcenter_server) == (old.pk, "kept", walk.lab.server)


def test_confirm_account_name_that_is_taken_gets_a_number(walk: Walk) -> None:
    other = make_gateway()
    CloudAccount.objects.create(
        tenant=other.tenant,
        gateway=other,
        name=walk.gateway.name,
        vcenter_server="vcenter.acme.test",
        username="u",
        password="p",
    )
    walk.to_summary()

    walk.confirm()

    assert CloudAccount.objects.get(gateway=walk.gateway).name == f"{walk.gateway.name}-2"


def test_confirm_what_another_tab_changed_meanwhile_is_a_conflict(
    walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk.to_summary()
    checked = "gateways.actions.confirm._check_vcenter"
    monkeypatch.setattr(checked, lambda _configuration: walk.accept("addresses", {**POOL, "name": "other"}))

    response = walk.confirm()

    assert response.status_code == 409
    assert "another tab" in text_of(response)


@pytest.mark.django_db(transaction=True)
def test_confirm_from_two_tabs_at_once_makes_one_operation(walk: Walk) -> None:
    make_release()
    walk.to_summary()
    outcomes = at_once(*[lambda: confirm(walk)] * 4)

    assert sorted(outcomes) == ["AlreadyConfirmed"] * 3 + ["Cluster"]
    assert Operation.objects.count() == Cluster.objects.count() == CloudAccount.objects.count() == 1


def confirm(walk: Walk) -> str:
    try:
        cluster = confirm_configuration(gateway=walk.gateway, by=User.objects.get())
    except (AlreadyConfirmed, Conflict) as error:
        return type(error).__name__
    finally:
        connection.close()
    return type(cluster).__name__


def at_once(*deeds: Callable[[], str]) -> list[str]:
    outcomes: list[str] = []
    threads = [threading.Thread(target=lambda deed=deed: outcomes.append(deed())) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


def test_confirm_leads_to_a_running_gateway(walk: Walk, vcenter: VSphere) -> None:
    walk.to_summary()
    walk.confirm()
    operation, guests = Operation.objects.get(), Guests(vcenter)

    for _ in range(200):
        run_due_steps()
        guests.play()
        make_waiting_steps_due(operation)
        operation.refresh_from_db()
        if not operation.is_active:
            break

    walk.gateway.refresh_from_db()
    assert walk.gateway.state == GatewayState.RUNNING
    assert walk.gateway.running_at is not None
    cluster = Cluster.objects.get(gateway=walk.gateway)
    assert cluster.health == "Healthy"
    running = Event.objects.of(cluster.subject).get(reason="GatewayRunning")
    assert "can be powered off" in running.message


def assert_nothing_happened(walk: Walk) -> None:
    walk.gateway.refresh_from_db()
    assert walk.gateway.state == GatewayState.PENDING
    assert not CloudAccount.objects.exists()
    assert not Cluster.objects.exists()
    assert not IPPool.objects.filter(name=POOL["name"]).exists()
