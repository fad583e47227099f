from uuid import uuid4

import pytest
from django.db.models.functions import Now
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from clusters.event_log import EventFilter, events_after
from clusters.models import Cluster, ClusterAddOn, ClusterLayer, PoolRole
from clusters.profiles.models import ProfileVersion
from palette_portal.orchestration.actions import record_event, start_operation
from palette_portal.orchestration.events import archive_old_events
from palette_portal.orchestration.models import Operation, OperationKind, Severity, StepState
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import AuditRow, User
from palette_portal.tenants.roles import Role
from tests.factories import (
    amelia,
    bao,
    carla,
    make_cluster,
    make_gateway,
    make_machine,
    make_machine_pool,
    make_pool,
    make_project,
    make_user,
)
from tests.integration.clusters.listed import make_profile

pytestmark = pytest.mark.django_db

STEPS = (
    StepSpec("account", "Validate vCenter account", "tests.none"),
    StepSpec("clone-1", "Clone virtual machine", "tests.none", depends_on=("account",), group="dc-east-cp-1"),
    StepSpec("clone-2", "Clone virtual machine", "tests.none", depends_on=("account",), group="dc-east-cp-2"),
)


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


@pytest.fixture
def cluster(admin: User) -> Cluster:
    cluster = make_cluster(make_gateway(name="dc-east"), created_by=admin)
    make_machine_pool(cluster)
    return cluster


@pytest.fixture
def operation(cluster: Cluster, admin: User) -> Operation:
    return start_operation(kind=OperationKind.PROVISION, subject=cluster.subject, steps=STEPS, by=admin)


def fail_first_step(operation: Operation) -> None:
    operation.steps.filter(key="account").update(
        state=StepState.RETRYING,
        attempt=2,
        due_at=Now(),
        reason="LoginRefused",
        message="vCenter refused the user name or password.",
        hint="Correct the cloud account, then choose Retry now.",
    )


def add_events(cluster: Cluster, count: int, severity: Severity = Severity.INFO) -> None:
    for number in range(count):
        record_event(
            subject=cluster.subject, severity=severity, reason="MachineCloned", message=f"Line {number}."
        )


def test_overview_shows_every_step_grouped_by_machine(
    client: Client, cluster: Cluster, operation: Operation
) -> None:
    page = client.get(f"/clusters/{cluster.pk}/").content.decode()

    assert page.index("Validate vCenter account") < page.index("dc-east-cp-1") < page.index("dc-east-cp-2")
    assert page.count("Clone virtual machine") == 2


def test_overview_shows_why_a_step_retries_and_what_to_do(
    client: Client, cluster: Cluster, operation: Operation
) -> None:
    fail_first_step(operation)

    page = client.get(f"/clusters/{cluster.pk}/").content.decode()

    assert "vCenter refused the user name or password." in page
    assert "Correct the cloud account" in page
    assert "Attempt 2 failed" in page
    assert "Attempt 3 in" in page


def test_overview_says_which_attempt_succeeded(
    client: Client, cluster: Cluster, operation: Operation
) -> None:
    operation.steps.filter(key="account").update(state=StepState.DONE, due_at=None, attempt=3)

    page = client.get(f"/clusters/{cluster.pk}/").content.decode()

    assert page.count("Attempt 3 succeeded.") == 1


def test_overview_of_another_tenant_is_not_found(client: Client, cluster: Cluster) -> None:
    client.force_login(carla())

    assert client.get(f"/clusters/{cluster.pk}/").status_code == 404


def test_gateway_cluster_is_not_found_for_a_project_role(client: Client, cluster: Cluster) -> None:
    client.force_login(bao())

    assert client.get(f"/clusters/{cluster.pk}/").status_code == 404


def test_cluster_of_the_own_project_is_shown(client: Client) -> None:
    user = bao()
    cluster = make_cluster(project=make_project(), name="shop")
    client.force_login(user)

    assert client.get(f"/clusters/{cluster.pk}/").status_code == 200
    assert "shop" in client.get("/clusters/").content.decode()


def test_cluster_of_another_project_is_not_found(client: Client) -> None:
    cluster = make_cluster(project=make_project(name="platform"), name="shop")
    client.force_login(bao())

    assert client.get(f"/clusters/{cluster.pk}/").status_code == 404
    assert "shop" not in client.get("/clusters/").content.decode()


@pytest.mark.parametrize("tab", ["", "nodes/", "events/", "settings/"])
def test_tabs_answer_and_need_the_same_queries_for_more_rows(
    client: Client,
    cluster: Cluster,
    operation: Operation,
    tab: str,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    address = f"/clusters/{cluster.pk}/{tab}"
    client.get(address)
    # One for machines that are gone, one for the gateway, which only pages of its own cluster tell of.
    with django_assert_num_queries(16, exact=False) as few:
        client.get(address)
    add_events(cluster, 20)

    with django_assert_num_queries(len(few)):
        assert client.get(address).status_code == 200


def test_pages_by_post_are_refused(client: Client, cluster: Cluster) -> None:
    assert client.post(f"/clusters/{cluster.pk}/events/").status_code == 405


def test_events_are_newest_first(client: Client, cluster: Cluster) -> None:
    add_events(cluster, 3)

    page = client.get(f"/clusters/{cluster.pk}/events/").content.decode()

    assert page.index("Line 2.") < page.index("Line 1.") < page.index("Line 0.")


def test_events_filter_by_severity_and_text(client: Client, cluster: Cluster) -> None:
    add_events(cluster, 2)
    record_event(
        subject=cluster.subject, severity=Severity.ERROR, reason="CloneFailed", message="Datastore full."
    )

    by_severity = client.get(f"/clusters/{cluster.pk}/events/?severity=Error").content.decode()
    by_text = client.get(f"/clusters/{cluster.pk}/events/?q=datastore+full").content.decode()

    for page in (by_severity, by_text):
        assert "Datastore full." in page
        assert "Line 1." not in page


def test_events_load_older_ones_as_a_part(client: Client, cluster: Cluster) -> None:
    add_events(cluster, 60)
    page = client.get(f"/clusters/{cluster.pk}/events/").content.decode()
    before = page.split("before=")[1].split("&")[0]

    part = client.get(f"/clusters/{cluster.pk}/events/?before={before}", headers={"HX-Request": "true"})

    assert "<html" not in part.content.decode()
    assert part.content.decode().count('id="ev-') == 10
    assert "HX-Request" in part["Vary"]


def test_events_before_nonsense_is_not_found(client: Client, cluster: Cluster) -> None:
    response = client.get(f"/clusters/{cluster.pk}/events/?before=x", headers={"HX-Request": "true"})

    assert response.status_code == 404


def test_stream_from_the_beginning_leaves_archived_events_out(cluster: Cluster) -> None:
    add_events(cluster, 5)
    archive_old_events(keep=2)

    assert [event.message for event in events_after(cluster, EventFilter(), 0)] == ["Line 3.", "Line 4."]


def test_event_text_is_escaped(client: Client, cluster: Cluster) -> None:
    record_event(
        subject=cluster.subject, severity=Severity.INFO, reason="Odd", message="<script>alert(1)</script>"
    )

    assert "<script>alert" not in client.get(f"/clusters/{cluster.pk}/events/").content.decode()


def test_retry_now_makes_the_step_due(client: Client, cluster: Cluster, operation: Operation) -> None:
    fail_first_step(operation)
    step = operation.steps.get(key="account")

    response = client.post(f"/clusters/{cluster.pk}/steps/{step.pk}/retry/", headers={"HX-Request": "true"})

    assert response.status_code == 200
    assert f'id="step-{step.pk}"' in response.content.decode()
    assert operation.events.filter(reason="RetryRequested").exists()
    assert AuditRow.objects.get().detail == {"step": "Validate vCenter account"}


def test_retry_of_a_step_that_does_not_wait_is_a_conflict(
    client: Client, cluster: Cluster, operation: Operation
) -> None:
    step = operation.steps.get(key="account")

    assert client.post(f"/clusters/{cluster.pk}/steps/{step.pk}/retry/").status_code == 409
    assert not AuditRow.objects.exists()


def test_retry_by_support_is_denied(client: Client, cluster: Cluster, operation: Operation) -> None:
    fail_first_step(operation)
    client.force_login(make_user("sam", Role.SUPPORT))
    step = operation.steps.get(key="account")

    assert client.post(f"/clusters/{cluster.pk}/steps/{step.pk}/retry/").status_code == 403
    assert "You need the role Tenant Admin" in client.get(f"/clusters/{cluster.pk}/").content.decode()


def test_retry_of_a_step_of_another_cluster_is_not_found(client: Client, cluster: Cluster) -> None:
    assert client.post(f"/clusters/{cluster.pk}/steps/{uuid4()}/retry/").status_code == 404


@pytest.mark.parametrize("tab", ["", "nodes/", "events/", "settings/"])
def test_tabs_need_the_same_queries_for_more_nodes_pools_and_packs(
    client: Client, admin: User, tab: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    cluster = make_cluster(project=make_project(), state="Running", profile_version=make_profile("starter"))
    make_machine(make_machine_pool(cluster))
    ClusterLayer.objects.create(cluster=cluster, kind="os", pack="ubuntu", pack_version="1", position=0)
    address = f"/clusters/{cluster.pk}/{tab}"
    client.get(address)
    with django_assert_num_queries(20, exact=False) as few:
        client.get(address)
    for number in range(1, 4):
        pool = make_machine_pool(cluster, name=f"workers-{number}", role=PoolRole.WORKER)
        for index in (1, 2):
            make_machine(pool, index=index, name=f"worker-{number}-{index}")
        ClusterLayer.objects.create(
            cluster=cluster, kind="add-on", pack=f"pack-{number}", pack_version="1", position=number
        )

    with django_assert_num_queries(len(few)):
        assert client.get(address).status_code == 200


def test_overview_tells_of_a_newer_published_version(client: Client, admin: User) -> None:
    cluster = make_cluster(project=make_project(), profile_version=make_profile("starter", "1.9.0"))
    make_profile("starter", "1.11.0", published=False)
    make_profile("other", "2.0.0")
    address = f"/clusters/{cluster.pk}/"
    assert "is published" not in client.get(address).content.decode()

    make_profile("starter", "1.10.0")

    assert "Version 1.10.0 of starter is published" in client.get(address).content.decode()


def test_overview_tells_of_add_on_profiles_and_their_newer_versions(client: Client, admin: User) -> None:
    cluster = make_cluster(project=make_project(), profile_version=make_profile("starter"))
    attach(cluster, make_profile("monitoring", "1.0.0"), make_profile("logging", "2.0.0"))
    make_profile("monitoring", "1.1.0")
    make_profile("logging", "2.1.0", published=False)
    make_profile("logging", "1.0.0")

    page = client.get(f"/clusters/{cluster.pk}/").content.decode()

    assert page.index("monitoring 1.0.0</dd>") < page.index("logging 2.0.0</dd>")
    assert "Version 1.1.0 of monitoring is published." in page
    assert page.count("is published.") == 1


def attach(cluster: Cluster, *versions: ProfileVersion) -> None:
    for position, version in enumerate(versions, start=1):
        ClusterAddOn.objects.create(
            cluster=cluster, profile=version.profile, version=version, position=position
        )


def test_overview_needs_the_same_queries_for_more_add_on_profiles(
    client: Client, admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    cluster = make_cluster(project=make_project(), state="Running", profile_version=make_profile("starter"))
    make_machine(make_machine_pool(cluster))
    address = f"/clusters/{cluster.pk}/"
    client.get(address)
    with django_assert_num_queries(21, exact=False) as without:
        client.get(address)
    attach(cluster, *(make_profile(f"add-on-{number}") for number in range(5)))
    for add_on in cluster.add_ons.all():
        ClusterLayer.objects.create(
            cluster=cluster,
            kind="add-on",
            pack=f"pack-{add_on.position}",
            pack_version="1",
            position=add_on.position,
            add_on=add_on,
        )

    with django_assert_num_queries(len(without)):
        assert "pack-5" in client.get(address).content.decode()


def test_summary_names_an_ip_pool_once_and_the_cluster_s_own_folder(client: Client, admin: User) -> None:
    cluster = make_cluster(
        project=make_project(), name="shop", folder_name="palette-clusters", has_own_folder=True
    )
    ip_pool = make_pool(cluster.gateway, name="rack-7")
    make_machine_pool(cluster, ip_pool=ip_pool)
    make_machine_pool(cluster, name="web", role=PoolRole.WORKER, ip_pool=ip_pool)

    page = client.get(f"/clusters/{cluster.pk}/").content.decode()

    assert page.count("<dd>rack-7</dd>") == 1
    assert "<dd>palette-clusters/shop</dd>" in page


def test_nodes_are_listed_by_pool_with_a_way_to_their_console(client: Client, admin: User) -> None:
    cluster = make_cluster(project=make_project(), ssh_keys=["ssh-ed25519 AAAA amelia"])
    pool = make_machine_pool(cluster)
    machine = make_machine(
        pool, moid="vm-42", ip_address="10.9.0.7", host_name="esx-3", drift="It has 3 CPU."
    )
    make_machine(pool, index=2, name="gone", state="Deleted")
    pool.placements.update(zone="az-west")

    page = client.get(f"/clusters/{cluster.pk}/nodes/").content.decode()

    for text in (
        machine.name,
        "az-west",
        "esx-3",
        "ssh spectro@10.9.0.7",
        "vmrc://vcenter.acme.test/?moid=vm-42",
    ):
        assert text in page
    assert "It has 3 CPU." in page
    assert "gone" not in page


def test_cluster_that_is_deleted_still_has_its_pages(client: Client, admin: User) -> None:
    cluster = make_cluster(project=make_project())
    make_machine(make_machine_pool(cluster), moid="vm-42")
    Cluster.objects.update(state="Deleted", deleted_at=Now(), cloud_account=None)

    for tab in ("", "nodes/", "events/", "settings/"):
        page = client.get(f"/clusters/{cluster.pk}/{tab}")
        assert page.status_code == 200
        assert 'id="kubeconfig"' not in page.content.decode()
