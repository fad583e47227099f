"""Certificates of a cluster, made by the portal (ECDSA P-256): joining needs nothing only a node knows."""

import base64
import hashlib
import json
import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from palette_portal.bootstrap.secret import Secret

AUTHORITY_LIFETIME = timedelta(days=3650)
ADMIN_DAYS = 365
# What kubeadm (1.29 and later) binds to cluster-admin, unlike system:masters, which no role can take back.
ADMINISTRATORS = "kubeadm:cluster-admins"
_AUTHORITIES = ("cluster", "front_proxy", "etcd")
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class CertificateAuthority:
    certificate_pem: str
    private_key: Secret


@dataclass(frozen=True)
class ServiceAccountKey:
    public_key_pem: str
    private_key: Secret


@dataclass(frozen=True)
class ClusterPKI:
    cluster: CertificateAuthority
    front_proxy: CertificateAuthority
    etcd: CertificateAuthority
    service_account: ServiceAccountKey

    @property
    def discovery_hash(self) -> str:
        """What a joining node compares the API server's certificate authority with."""
        public_key = x509.load_pem_x509_certificate(self.cluster.certificate_pem.encode()).public_key()
        der = public_key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return f"sha256:{hashlib.sha256(der).hexdigest()}"


def generate_cluster_pki(cluster_name: str, *, now: datetime | None = None) -> ClusterPKI:
    now = now or datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    return ClusterPKI(
        cluster=_generate_authority(f"{cluster_name} kubernetes", now),
        front_proxy=_generate_authority(f"{cluster_name} front-proxy", now),
        etcd=_generate_authority(f"{cluster_name} etcd", now),
        service_account=ServiceAccountKey(_public_key_pem(key), _private_key_pem(key)),
    )


def dump_pki(pki: ClusterPKI) -> str:
    """Text with the private keys in it, for an encrypted column."""
    authorities = {name: getattr(pki, name) for name in _AUTHORITIES}
    data = {
        name: {"certificate_pem": authority.certificate_pem, "private_key": authority.private_key.reveal()}
        for name, authority in authorities.items()
    }
    data["service_account"] = {
        "public_key_pem": pki.service_account.public_key_pem,
        "private_key": pki.service_account.private_key.reveal(),
    }
    return json.dumps(data)


def load_pki(text: str) -> ClusterPKI:
    data = json.loads(text)
    return ClusterPKI(
        **{name: _load_authority(data[name]) for name in _AUTHORITIES},
        service_account=ServiceAccountKey(
            data["service_account"]["public_key_pem"], Secret(data["service_account"]["private_key"])
        ),
    )


def generate_bootstrap_token() -> Secret:
    alphabet = string.ascii_lowercase + string.digits
    identifier, secret = ("".join(secrets.choice(alphabet) for _ in range(length)) for length in (6, 16))
    return Secret(f"{identifier}.{secret}")


def admin_kubeconfig(
    pki: ClusterPKI, *, cluster_name: str, server: str, now: datetime | None = None, days: int = ADMIN_DAYS
) -> Secret:
    """The portal's own: it works even where every role binding is lost."""
    certificate, key = _issue_client(
        pki.cluster,
        common_name="palette-portal-admin",
        organization="system:masters",
        now=now or datetime.now(UTC),
        lifetime=timedelta(days=days),
    )
    return _kubeconfig(pki, cluster_name, server, "admin", certificate, key)


def personal_kubeconfig(
    pki: ClusterPKI,
    *,
    cluster_name: str,
    server: str,
    person: str,
    lifetime: timedelta,
    now: datetime | None = None,
) -> Secret:
    """For one person and a short time. Its group is bound to cluster-admin by kubeadm, and can be unbound."""
    certificate, key = _issue_client(
        pki.cluster,
        common_name=person,
        organization=ADMINISTRATORS,
        now=now or datetime.now(UTC),
        lifetime=lifetime,
    )
    return _kubeconfig(pki, cluster_name, server, person, certificate, key)


def _kubeconfig(
    pki: ClusterPKI, cluster_name: str, server: str, user: str, certificate: str, key: Secret
) -> Secret:
    context = f"{user}@{cluster_name}"
    authority = _base64(pki.cluster.certificate_pem)
    credential = {
        "client-certificate-data": _base64(certificate),
        "client-key-data": _base64(key.reveal()),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster_name,
                "cluster": {"server": server, "certificate-authority-data": authority},
            }
        ],
        "users": [{"name": user, "user": credential}],
        "contexts": [{"name": context, "context": {"cluster": cluster_name, "user": user}}],
        "current-context": context,
    }
    return Secret(yaml.safe_dump(document, sort_keys=False))


def certificate_expiry(certificate_pem: str) -> datetime:
    return x509.load_pem_x509_certificate(certificate_pem.encode()).not_valid_after_utc


def kubeconfig_expiry(kubeconfig: Secret) -> datetime:
    user = yaml.safe_load(kubeconfig.reveal())["users"][0]["user"]
    return certificate_expiry(base64.b64decode(user["client-certificate-data"]).decode())


def _generate_authority(common_name: str, now: datetime) -> CertificateAuthority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    certificate = (
        _builder(subject=name, issuer=name, public_key=key.public_key(), now=now, lifetime=AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(key_cert_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return CertificateAuthority(_certificate_pem(certificate), _private_key_pem(key))


def _issue_client(
    authority: CertificateAuthority,
    *,
    common_name: str,
    organization: str,
    now: datetime,
    lifetime: timedelta,
) -> tuple[str, Secret]:
    issuer = x509.load_pem_x509_certificate(authority.certificate_pem.encode())
    issuer_key = serialization.load_pem_private_key(authority.private_key.reveal().encode(), password=None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64]),
        ]
    )
    certificate = (
        _builder(
            subject=subject, issuer=issuer.subject, public_key=key.public_key(), now=now, lifetime=lifetime
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(key_cert_sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return _certificate_pem(certificate), _private_key_pem(key)


def _builder(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        # A node whose clock is a little behind must still accept it.
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )


def _key_usage(*, key_cert_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private_key_pem(key: ec.EllipticCurvePrivateKey) -> Secret:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return Secret(pem.decode())


def _public_key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _load_authority(data: dict[str, str]) -> CertificateAuthority:
    return CertificateAuthority(data["certificate_pem"], Secret(data["private_key"]))
