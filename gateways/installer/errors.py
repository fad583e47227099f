"""
InstallerError               a sentence for the log, a hint what to do, and whether waiting alone can help
|-- NoEnvironment            the OVF properties cannot be read
|-- WrongPairingCode         the portal does not know the code
|-- UnusableCode             the code was right once: expired, used or replaced
|-- TokenRefused             the portal does not know this installer any more
|-- RequestRefused           the portal does not accept the values sent
|-- TooManyRequests          the portal asks for patience
|-- PortalTrouble            the portal answers, with an error of its own
|-- WrongEndpoint            something answers, but it is not the portal
|-- CertificateNotTrusted    the portal's or the proxy's certificate does not verify
|-- NameNotFound             DNS does not know the host
|-- NoRoute                  nothing answers: no route, refused, timed out
`-- ProxyFailed              the proxy cannot be reached or does not let us through
"""


class InstallerError(Exception):
    transient = True
    hint = ""

    def __init__(self, sentence: str, *, hint: str = "", retry_after: float = 0) -> None:
        super().__init__(sentence)
        self.hint = hint or self.hint
        self.retry_after = retry_after


class NoEnvironment(InstallerError):
    hint = "Deploy the VM from the installer template in vCenter, so that it has its properties."


class WrongPairingCode(InstallerError):
    transient = False
    hint = (
        "Compare the Pairing Code property with the code on the portal. "
        "To correct it, power the VM off, delete it and deploy it again."
    )


class UnusableCode(InstallerError):
    transient = False
    hint = (
        "Get a new code on the portal (Create Private Cloud Gateway), "
        "then power this VM off, delete it and deploy it again with that code."
    )


class TokenRefused(InstallerError):
    transient = False
    hint = "The gateway may have been deleted or paired with another installer; look at it on the portal."


class RequestRefused(InstallerError):
    transient = False
    hint = "Correct the named property: power the VM off, delete it and deploy it again."


class TooManyRequests(InstallerError):
    hint = "Nothing to do; the installer waits longer between its attempts."


class PortalTrouble(InstallerError):
    hint = "Nothing to do on this VM; ask whoever runs the portal if it lasts."


class WrongEndpoint(InstallerError):
    transient = False
    hint = "Check the Console endpoint property: scheme, host and port of the portal, no slash at the end."


class CertificateNotTrusted(InstallerError):
    transient = False
    hint = (
        "If a proxy or a private authority signs the portal's certificate, "
        "put it into the Certificate property. Check the VM's clock as well."
    )


class NameNotFound(InstallerError):
    hint = "Check the Console endpoint property for typing errors, and the name servers of the VM's network."


class NoRoute(InstallerError):
    hint = "The VM must reach the portal: check its network, the firewall rules and the proxy properties."


class ProxyFailed(InstallerError):
    hint = "Check the HTTP PROXY, HTTPS PROXY and NO Proxy properties, and what the proxy allows."
