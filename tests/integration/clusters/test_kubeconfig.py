"""Who gets a kubeconfig, what is in it, and what is written down."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.test import Client
from django.utils import timezone

from clusters.models import Cluster, ClusterSecrets
from palette_portal.bootstrap.pki import dump_pki, generate_cluster_pki
from palette_portal.orchestration.models import Event
from palette_portal.tenants.models import AuditRow, User
from palette_portal.tenants.roles import Role
from tests.factories import amelia, carla, make_cluster, make_project, make_user

pytestmark = pytest.mark.django_db

PKI = generate_cluster_pki("shop")


@pytest.fixture
def admin(client: Client) -> User:
    """Of the project."""
    user = make_user("ada", Role.PROJECT_ADMIN, project=make_project())
    client.force_login(user)
    return user


@pytest.fixture
def shop(admin: User) -> Cluster:
    cluster = make_cluster(project=make_project(), name="shop", state="Running", endpoint_host="10.10.183.20")
    ClusterSecrets.objects.create(
        cluster=cluster,
        pki=dump_pki(PKI),
        admin_kubeconfig="-",
        bootstrap_token="-",
        certificates_expire_at=timezone.now() + timedelta(days=365),
    )
    return cluster


def address(cluster: Cluster) -> str:
    return f"/clusters/{cluster.pk}/kubeconfig/"


def certificate_of(document: dict) -> x509.Certificate:
    pem = base64.b64decode(document["users"][0]["user"]["client-certificate-data"])
    return x509.load_pem_x509_certificate(pem)


@pytest.mark.parametrize(("hours", "lifetime"), [(8, "8 hours"), (24, "24 hours"), (168, "7 days")])
def test_file_has_a_certificate_of_the_clusters_authority_that_expires(
    client: Client, shop: Cluster, admin: User, hours: int, lifetime: str
) -> None:
    response = client.post(address(shop), {"hours": str(hours)})

    document = yaml.safe_load(response.content)
    certificate = certificate_of(document)
    certificate.verify_directly_issued_by(
        x509.load_pem_x509_certificate(PKI.cluster.certificate_pem.encode())
    )
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(hours=hours, minutes=-1) < left <= timedelta(hours=hours)
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    (group,) = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert (name.value, group.value) == (admin.email, "kubeadm:cluster-admins")
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert AuditRow.objects.get().detail["valid_for"] == lifetime
    assert f"valid for {lifetime}" in Event.objects.get().message


def test_file_leads_to_the_cluster_with_its_own_key(client: Client, shop: Cluster, admin: User) -> None:
    document = yaml.safe_load(client.post(address(shop), {"hours": "8"}).content)

    (cluster,), (user,) = document["clusters"], document["users"]
    assert cluster["cluster"]["server"] == "https://10.10.183.20:6443"
    authority = base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode()
    assert authority == PKI.cluster.certificate_pem
    assert document["current-context"] == f"{admin.email}@shop"
    key = load_pem_private_key(base64.b64decode(user["user"]["client-key-data"]), None)
    assert key.public_key() == certificate_of(document).public_key()


def test_each_download_has_a_key_of_its_own(client: Client, shop: Cluster) -> None:
    first, second = (client.post(address(shop), {"hours": "8"}).content for _ in range(2))

    assert first != second
    assert AuditRow.objects.count() == 2


def test_file_is_kept_by_nobody(client: Client, shop: Cluster) -> None:
    response = client.post(address(shop), {"hours": "8"})

    assert response["Content-Disposition"] == 'attachment; filename="shop.kubeconfig"'
    assert "no-store" in response["Cache-Control"]


def test_audit_row_names_person_cluster_and_project(client: Client, shop: Cluster, admin: User) -> None:
    client.post(address(shop), {"hours": "8"})

    row = AuditRow.objects.get()
    assert (row.user, row.action, row.object_id, row.project) == (
        admin,
        "download-kubeconfig",
        str(shop.pk),
        shop.project,
    )


@pytest.mark.parametrize("role", [Role.PROJECT_EDITOR, Role.PROJECT_VIEWER])
def test_below_project_admin_it_is_refused_with_the_reason_at_the_button(
    client: Client, shop: Cluster, role: Role
) -> None:
    client.force_login(make_user("eddi", role, project=shop.project))

    page = client.get(f"/clusters/{shop.pk}/").content.decode()

    reason = "You need the role Tenant Admin or Project Admin to download kubeconfig files."
    assert reason in page
    for answer in (client.get(address(shop)), client.post(address(shop), {"hours": "8"})):
        assert answer.status_code == 403
        assert reason in answer.content.decode()
    assert not AuditRow.objects.exists()


def test_support_does_not_get_it(client: Client, shop: Cluster) -> None:
    client.force_login(make_user("sam", Role.SUPPORT))

    assert client.post(address(shop), {"hours": "8"}).status_code == 403


def test_tenant_admin_gets_it(client: Client, shop: Cluster) -> None:
    client.force_login(amelia())

    assert client.post(address(shop), {"hours": "8"}).status_code == 200


def test_cluster_of_strangers_is_not_found(client: Client, shop: Cluster) -> None:
    client.force_login(carla())

    assert client.post(address(shop), {"hours": "8"}).status_code == 404


def test_download_is_asked_for_first(client: Client, shop: Cluster) -> None:
    part = client.get(address(shop), headers={"HX-Request": "true"})
    page = client.get(address(shop))

    assert b"<html" not in part.content and b"<html" in page.content
    assert b"7 days" in part.content and b"7 days" in page.content
    assert not AuditRow.objects.exists()


@pytest.mark.parametrize("hours", ["", "9000", "x", "-8"])
def test_other_lifetime_is_refused(client: Client, shop: Cluster, hours: str) -> None:
    response = client.post(address(shop), {"hours": hours})

    assert response.status_code == 422
    assert not AuditRow.objects.exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": "Deleting"}, "being deleted"),
        ({"endpoint_host": ""}, "has no address yet"),
    ],
)
def test_cluster_without_an_api_has_none(
    client: Client, shop: Cluster, change: dict[str, str], reason: str
) -> None:
    Cluster.objects.update(**change)

    response = client.post(address(shop), {"hours": "8"})

    assert response.status_code == 409
    assert reason in response.content.decode()
    assert reason in client.get(f"/clusters/{shop.pk}/").content.decode()


def test_cluster_without_certificates_has_none(client: Client, shop: Cluster) -> None:
    ClusterSecrets.objects.all().delete()

    assert client.post(address(shop), {"hours": "8"}).status_code == 409


def test_kubeconfig_by_another_method_is_refused(client: Client, shop: Cluster) -> None:
    assert client.put(address(shop)).status_code == 405
