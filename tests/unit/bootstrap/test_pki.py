import base64
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from palette_portal.bootstrap.pki import (
    admin_kubeconfig,
    certificate_expiry,
    dump_pki,
    generate_bootstrap_token,
    generate_cluster_pki,
    kubeconfig_expiry,
    load_pki,
    personal_kubeconfig,
)
from tests.unit.bootstrap.factories import fixed_pki, make_cluster

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", ["cluster", "front_proxy", "etcd"])
def test_authority_signs_itself_with_its_own_key(name: str) -> None:
    authority = getattr(generate_cluster_pki("gateway-1", now=NOW), name)

    certificate = x509.load_pem_x509_certificate(authority.certificate_pem.encode())
    key = serialization.load_pem_private_key(authority.private_key.reveal().encode(), password=None)

    certificate.verify_directly_issued_by(certificate)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert key.public_key() == certificate.public_key()
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_authorities_share_no_key() -> None:
    pki = generate_cluster_pki("gateway-1")

    keys = {
        item.private_key.reveal() for item in (pki.cluster, pki.front_proxy, pki.etcd, pki.service_account)
    }

    assert len(keys) == 4


def test_authority_lives_ten_years_and_allows_for_a_slow_clock() -> None:
    authority = generate_cluster_pki("gateway-1", now=NOW).cluster

    certificate = x509.load_pem_x509_certificate(authority.certificate_pem.encode())

    assert certificate_expiry(authority.certificate_pem) == NOW + timedelta(days=3650)
    assert certificate.not_valid_before_utc == NOW - timedelta(minutes=5)


def test_pki_after_storing() -> None:
    pki = generate_cluster_pki("gateway-1")

    assert load_pki(dump_pki(pki)) == pki


def test_pki_hides_its_keys() -> None:
    assert "PRIVATE KEY" not in repr(fixed_pki())
    assert "PRIVATE KEY" not in repr(make_cluster())


def test_discovery_hash_is_the_digest_openssl_computes() -> None:
    # On the fixed one: openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256
    assert (
        fixed_pki().discovery_hash
        == "sha256:57c901725f7fac951c9d715cb9bcdd2b4d7faf8e2ea59d2308735261d4b64601"
    )


def test_admin_kubeconfig_is_signed_by_the_cluster() -> None:
    pki = fixed_pki()

    kubeconfig = yaml.safe_load(
        admin_kubeconfig(pki, cluster_name="gateway-1", server="https://10.10.0.20:6443", now=NOW).reveal()
    )

    cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
    authority = x509.load_pem_x509_certificate(base64.b64decode(cluster["certificate-authority-data"]))
    certificate = x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))
    key = serialization.load_pem_private_key(base64.b64decode(user["client-key-data"]), password=None)
    certificate.verify_directly_issued_by(authority)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == certificate.public_key()
    assert cluster["server"] == "https://10.10.0.20:6443"
    organisation = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [item.value for item in organisation] == ["system:masters"]
    assert kubeconfig["current-context"] == "admin@gateway-1"


def test_admin_kubeconfig_expires_after_a_year() -> None:
    kubeconfig = admin_kubeconfig(fixed_pki(), cluster_name="gateway-1", server="https://vip:6443", now=NOW)

    assert kubeconfig_expiry(kubeconfig) == NOW + timedelta(days=365)
    assert "client-key-data" not in repr(kubeconfig)


def test_bootstrap_token_is_one_kubeadm_accepts_and_new_each_time() -> None:
    tokens = [generate_bootstrap_token() for _ in range(20)]

    assert len({token.reveal() for token in tokens}) == 20
    for token in tokens:
        make_cluster(bootstrap_token=token)


def test_personal_kubeconfig_is_in_the_persons_name_and_ends_when_asked() -> None:
    text = personal_kubeconfig(
        fixed_pki(),
        cluster_name="shop",
        server="https://vip:6443",
        person="amelia@acme.test",
        lifetime=timedelta(hours=8),
        now=NOW,
    )

    document = yaml.safe_load(text.reveal())
    assert document["users"][0]["name"] == "amelia@acme.test"
    assert kubeconfig_expiry(text) == NOW + timedelta(hours=8)
    assert "amelia" not in repr(text)


def test_personal_kubeconfig_of_a_very_long_name_keeps_what_a_certificate_can_hold() -> None:
    person = f"{'a' * 80}@acme.test"

    text = personal_kubeconfig(
        fixed_pki(),
        cluster_name="shop",
        server="https://vip:6443",
        person=person,
        lifetime=timedelta(hours=8),
    )

    user = yaml.safe_load(text.reveal())["users"][0]["user"]
    certificate = x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == person[:64]
