"""The installer's OVF properties: one source for the portal's page and form and for the agent."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Property:
    id: str
    label: str
    description: str
    rule: str
    default: str = ""
    required: bool = False
    is_proxy: bool = False
    is_secret: bool = False


PROPERTIES = (
    Property(
        id="palette.installer_name",
        label="Installer Name",
        description=(
            "The gateway's name in Palette. One gateway is usually enough; with several vCenters, "
            "choose a name that tells which environment this one serves."
        ),
        rule="Up to 63 letters, digits, spaces, dots, dashes, underscores; ends are letters or digits.",
        required=True,
    ),
    Property(
        id="palette.console_endpoint",
        label="Console endpoint",
        description="The address of the Palette portal, as the installer VM reaches it.",
        rule="https://HOST or https://HOST:PORT, without a slash at the end.",
        default="https://console.spectrocloud.com",
        required=True,
    ),
    Property(
        id="palette.pairing_code",
        label="Pairing Code",
        description="The code shown under Create Private Cloud Gateway. It is good for one installer.",
        rule="Letters, digits and dashes, exactly as shown.",
        required=True,
        is_secret=True,
    ),
    Property(
        id="palette.ssh_public_key",
        label="SSH Public Key",
        description="Lets you sign in to the installer VM as user ubuntu to look into a problem.",
        rule="One OpenSSH public key in one line, such as ssh-ed25519 AAAA...",
    ),
    Property(
        id="palette.pod_cidr",
        label="Pod CIDR",
        description="The address range for pods alone. It must not overlap the network the VMs are in.",
        rule="A network such as 192.168.0.0/16, apart from the service range.",
    ),
    Property(
        id="palette.service_cidr",
        label="Service cluster IP range",
        description="The address range for cluster services alone. It must not overlap the VMs' network.",
        rule="A network such as 10.96.0.0/12, apart from the pod range.",
    ),
    Property(
        id="palette.http_proxy",
        label="HTTP PROXY",
        description="The proxy for HTTP. Every node that the gateway launches uses it too.",
        rule="http://USERNAME:PASSWORD@HOST:PORT; the three proxy values are given together.",
        is_proxy=True,
        is_secret=True,
    ),
    Property(
        id="palette.https_proxy",
        label="HTTPS PROXY",
        description="The proxy for HTTPS, maybe the same. Every node that the gateway launches uses it too.",
        rule="http://USERNAME:PASSWORD@HOST:PORT; the three proxy values are given together.",
        is_proxy=True,
        is_secret=True,
    ),
    Property(
        id="palette.no_proxy",
        label="NO Proxy",
        description=(
            "What is reached without the proxy: the vCenter server, the local network, and the host and "
            "domain names behind your firewall. Every node that the gateway launches uses it too."
        ),
        rule="Separated by commas, such as vcenter.company.com,.company.org,10.10.0.0/16.",
        is_proxy=True,
    ),
    Property(
        id="palette.certificate",
        label="Certificate",
        description="The proxy's certificate, or the root and issuing authorities that signed it, in base64.",
        rule='The output of: base64 -w0 FILE | sed "s/=$//"',
        is_proxy=True,
    ),
)
