import base64
import ipaddress
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PAIRING_CODE = "K7QX-M2PD"
SSH_KEY = (
    "ssh-ed25519 "
    + base64.b64encode(
        len(b"ssh-ed25519").to_bytes(4, "big") + b"ssh-ed25519" + (32).to_bytes(4, "big") + bytes(range(32))
    ).decode()
    + " amelia@example.com"
)
PROXY_VALUES = {
    "palette.http_proxy": "http://bao:hidden%20word@proxy.example.com:3128",
    "palette.https_proxy": "http://bao:hidden%20word@proxy.example.com:3128",
    "palette.no_proxy": "vcenter.example.com, .lab.example.com, 10.10.0.0/16",
}


def make_values(**changes: str) -> dict[str, str]:
    """Property values by id; give changes without the `palette.`."""
    values = {
        "palette.installer_name": "Frankfurt 1",
        "palette.console_endpoint": "https://portal.example.com",
        "palette.pairing_code": PAIRING_CODE,
    }
    return values | {f"palette.{name}": value for name, value in changes.items()}


def make_environment(values: dict[str, str]) -> str:
    properties = "".join(
        f"<Property oe:key={quoteattr(key)} oe:value={quoteattr(value)}/>" for key, value in values.items()
    )
    namespace = "http://schemas.dmtf.org/ovf/environment/1"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<Environment xmlns="{namespace}" xmlns:oe="{namespace}" oe:id="">'
        "<PlatformSection><Kind>VMware ESXi</Kind></PlatformSection>"
        f"<PropertySection>{properties}</PropertySection></Environment>"
    )


def make_certificate() -> tuple[str, str]:
    """A certificate for 127.0.0.1 that signs itself, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "portal.example.com")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def encode_certificate(pem: str) -> str:
    """As the hint on the portal's page says."""
    return base64.b64encode(pem.encode()).decode().removesuffix("=")
