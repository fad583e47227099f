"""What went astray: found on the page, released or excluded only when somebody confirms."""

from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.urls import reverse

from clusters.models import Machine
from clusters.states import ClusterState, MachineState
from gateways.models import CloudAccount
from ippools.actions.sweep import Stray, orphaned_claims, release_orphans, strays_among
from ippools.models import IPAddressClaim, IPPool, WaitingCluster
from palette_portal.http import Conflict
from palette_portal.tenants.models import AuditRow
from palette_portal.vsphere.errors import LoginRefused, Unreachable
from palette_portal.vsphere.guests import Guest
from tests.factories import amelia, make_cloud_account, make_cluster, make_machine_pool, make_pool
from tests.integration.ippools.asking import claim

pytestmark = pytest.mark.django_db


def make_machine(cluster, **fields):
    pool = cluster.machine_pools.first() or make_machine_pool(cluster)
    values = {"index": 1, "name": "gw-cp-1", "placement": pool.placements.get(), **fields}
    return Machine.objects.create(cluster=cluster, pool=pool, **values)


def held_machine(pool):
    machine = make_machine(make_cluster(pool.gateway))
    return machine, claim(pool, cluster_id=machine.cluster_id, owner_id=machine.pk)


def guest(address, *, name="vm-1", uuid=""):
    return Guest(name, str(uuid), (address,))


def test_claim_of_a_machine_that_exists_is_no_orphan():
    pool = make_pool()
    held_machine(pool)

    assert not orphaned_claims(pool)


def test_claim_of_a_machine_that_never_was_is_an_orphan():
    pool = make_pool()
    held = claim(pool)

    assert list(orphaned_claims(pool)) == [held]


@pytest.mark.parametrize("gone", ["machine", "cluster"])
def test_claim_of_what_was_deleted_is_an_orphan(gone):
    pool = make_pool()
    machine, held = held_machine(pool)
    if gone == "machine":
        Machine.objects.update(state=MachineState.DELETED)
    else:
        machine.cluster.state, machine.cluster.deleted_at = ClusterState.DELETED, held.claimed_at
        machine.cluster.save()

    assert list(orphaned_claims(pool)) == [held]


def test_virtual_ip_is_an_orphan_when_its_cluster_is_gone():
    pool = make_pool()
    cluster = make_cluster(pool.gateway)
    IPAddressClaim.objects.create(
        pool=pool,
        address="10.10.183.20",
        cluster_id=cluster.pk,
        owner_kind="cluster",
        owner_id=cluster.pk,
        owner_name="dc-east",
        purpose="vip",
    )
    assert not orphaned_claims(pool)

    IPAddressClaim.objects.update(cluster_id=uuid4())

    assert orphaned_claims(pool).count() == 1


def test_orphans_are_released_and_audited():
    pool = make_pool()
    orphan = claim(pool)
    WaitingCluster.objects.create(
        pool=pool, cluster_id=orphan.cluster_id, count=1, asked_at=orphan.claimed_at
    )

    assert release_orphans(pool=pool, claim_ids=[orphan.pk], by=amelia()) == 1

    assert AuditRow.objects.get().detail["addresses"] == ["10.10.183.20 of gw-cp-1"]
    assert not IPAddressClaim.objects.held().exists()
    assert not WaitingCluster.objects.exists()


def test_claim_with_an_owner_is_not_released():
    pool = make_pool()
    _, held = held_machine(pool)

    with pytest.raises(Conflict, match="Look at the list again"):
        release_orphans(pool=pool, claim_ids=[held.pk], by=amelia())

    assert IPAddressClaim.objects.held().exists()


def test_stray_is_an_address_of_the_pool_that_a_foreign_machine_uses():
    pool = make_pool(excluded=["10.10.183.30"])
    machine, held = held_machine(pool)
    guests = [
        guest(held.address, uuid=machine.pk),
        guest("10.10.183.22", name="old-vm", uuid=uuid4()),
        guest("10.10.183.30", name="excluded"),
        guest("10.10.184.1", name="elsewhere"),
        guest("fe80::1", name="other-family"),
    ]

    assert strays_among(guests, pool) == [Stray("10.10.183.22", "old-vm", "")]


def test_stray_on_an_address_that_is_held_names_the_holder():
    pool = make_pool()
    _, held = held_machine(pool)

    assert strays_among([guest(held.address, name="thief")], pool) == [
        Stray("10.10.183.20", "thief", "gw-cp-1")
    ]


def test_virtual_ip_may_be_on_any_machine_of_its_cluster():
    pool = make_pool()
    machine, _ = held_machine(pool)
    vip = claim(pool, cluster_id=machine.cluster_id, purpose="vip")

    assert strays_among([guest(vip.address, uuid=machine.pk)], pool) == []


@pytest.fixture
def vcenter(monkeypatch):
    """What the guests of a vCenter report, without one."""
    found = []
    monkeypatch.setattr("ippools.actions.sweep._guests", lambda credentials: list(found))
    return found


@pytest.fixture
def pool(client):
    client.force_login(amelia())
    pool = make_pool()
    make_cloud_account(pool.gateway, is_default=True)
    return pool


def page_of(client, pool):
    return client.get(reverse("ippools:sweep", args=[pool.pk])).content.decode()


def test_page_lists_what_it_finds_and_releases_on_confirm(client, pool, vcenter):
    orphan, used = claim(pool), claim(pool)
    vcenter.append(guest(used.address, name="left-over"))

    page = page_of(client, pool)
    client.post(reverse("ippools:orphans-release", args=[pool.pk]), {"claim": [orphan.pk]})

    assert f'value="{orphan.pk}" aria-label="Release 10.10.183.20" checked' in page
    assert "Still used by left-over" in page
    assert IPAddressClaim.objects.held().get() == used


def test_page_excludes_what_others_use_on_confirm(client, pool, vcenter):
    vcenter.append(guest("10.10.183.20", name="printer"))

    assert "printer" in page_of(client, pool)
    client.post(reverse("ippools:strays-exclude", args=[pool.pk]), {"address": ["10.10.183.20"]})

    assert IPPool.objects.get().excluded == ["10.10.183.20"]
    assert "printer" not in page_of(client, pool)


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("orphans-release", {}),
        ("orphans-release", {"claim": ["x"]}),
        ("strays-exclude", {}),
        ("strays-exclude", {"address": ["x"]}),
    ],
)
def test_page_refuses_a_choice_of_nothing(client, pool, name, chosen):
    assert client.post(reverse(f"ippools:{name}", args=[pool.pk]), chosen).status_code == 409


@pytest.mark.parametrize("error", [Unreachable, LoginRefused])
def test_page_says_that_vcenter_did_not_answer(client, pool, monkeypatch, error):
    def refuse(credentials):
        raise error("vcenter.acme.test does not answer.")

    monkeypatch.setattr("ippools.actions.sweep._guests", refuse)

    page = page_of(client, pool)

    assert "vcenter.acme.test does not answer." in page
    assert "vCenter was not asked" in page
    assert CloudAccount.objects.get().refused_logins == (1 if error is LoginRefused else 0)


def test_page_says_that_vcenter_takes_too_long(client, pool, monkeypatch):
    monkeypatch.setattr("ippools.actions.sweep.within", lambda seconds, ask: None)

    assert "did not answer within 30 seconds" in page_of(client, pool)


def test_page_without_an_account_shows_orphans_only(client, pool):
    pool.gateway.cloud_accounts.all().delete()

    assert "no cloud account yet" in page_of(client, pool)


def test_command_lists_and_releases(pool, vcenter):
    claim(pool)
    vcenter.append(guest("10.10.183.25", name="printer"))
    out = StringIO()

    call_command("sweep_addresses", stdout=out)
    assert IPAddressClaim.objects.held().exists()
    call_command("sweep_addresses", "--release", stdout=out)

    assert "10.10.183.20 is held for gw-cp-1, which is gone" in out.getvalue()
    assert "10.10.183.25 is used by printer" in out.getvalue()
    assert not IPAddressClaim.objects.held().exists()
