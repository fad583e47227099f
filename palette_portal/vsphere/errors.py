"""What can go wrong between us and vCenter. No sentence ever contains a password.

VSphereError                    sentence for the operator, hint what to do, transient or permanent, reason
├── Unreachable                 name not resolved, refused, timed out, cut: transient
├── CertificateNotTrusted       carries the thumbprint that was seen
├── InvalidServer, NotVCenter, VersionRefused
├── LoginRefused, SessionExpired, NoPermission (privileges, object name)
├── NotFound ─ TemplateNotFound, AmbiguousName (candidates)
├── NameTaken                   another machine has the name: never adopted, never destroyed
├── ImageUnusable               an OVA that is damaged or of a kind that cannot be imported
├── DownloadFailed              an OVA that did not come (whole): transient
├── DatastoreFull, NotEnoughResources, HostUnavailable, Busy, Cancelled
└── InvalidState, InvalidConfiguration, VSphereFault (everything else, by its own name)
"""

from collections.abc import Sequence
from typing import ClassVar


class VSphereError(Exception):
    transient: ClassVar[bool] = False
    default_hint: ClassVar[str] = ""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint or self.default_hint

    @property
    def reason(self) -> str:
        return type(self).__name__


class Unreachable(VSphereError):
    transient = True
    default_hint = "Check that the vCenter server is running and that the network lets this portal reach it."


class CertificateNotTrusted(VSphereError):
    default_hint = "Compare the thumbprint with the one vCenter's administrator gives you, then confirm it."

    def __init__(
        self, sentence: str, hint: str = "", *, thumbprint_sha256: str = "", problem: str = ""
    ) -> None:
        super().__init__(sentence, hint)
        self.thumbprint_sha256 = thumbprint_sha256
        self.problem = problem


class InvalidServer(VSphereError):
    pass


class NotVCenter(VSphereError):
    default_hint = "Enter the name of the vCenter server, not of an ESXi host or another web server."


class VersionRefused(VSphereError):
    default_hint = "Use vCenter 7.0 or 8.0."


class LoginRefused(VSphereError):
    default_hint = (
        "Check user name (with its domain, as in user@vsphere.local) and password of the cloud account."
    )

    def __init__(self, sentence: str, hint: str = "", *, remembered: bool = False) -> None:
        """`remembered`: vCenter was not asked again."""
        super().__init__(sentence, hint)
        self.remembered = remembered


class SessionExpired(VSphereError):
    transient = True


class NoPermission(VSphereError):
    def __init__(
        self, sentence: str, hint: str = "", *, privileges: Sequence[str] = (), object_name: str = ""
    ) -> None:
        super().__init__(sentence, hint)
        self.privileges = tuple(privileges)
        self.object_name = object_name


class NotFound(VSphereError):
    default_hint = "It may have been removed or moved in vCenter."


class TemplateNotFound(NotFound):
    default_hint = "Import the template in vCenter, or give the account read access to its folder."


class AmbiguousName(NotFound):
    default_hint = "Rename or remove all but one of them in vCenter."

    def __init__(self, sentence: str, hint: str = "", *, candidates: Sequence[str] = ()) -> None:
        super().__init__(sentence, hint)
        self.candidates = tuple(candidates)


class NameTaken(VSphereError):
    default_hint = "Rename or remove that machine in vCenter; the portal does not touch what it did not make."


class ImageUnusable(VSphereError):
    default_hint = "Check the image's address in the cluster profile, and the file that is there."


class DownloadFailed(VSphereError):
    transient = True
    default_hint = (
        "Check the image's address in the cluster profile, and that this portal reaches it, through the "
        "gateway's proxy if it has one."
    )


class DatastoreFull(VSphereError):
    default_hint = "Free space on the datastore or choose another one."


class NotEnoughResources(VSphereError):
    default_hint = "Free CPU or memory in the compute cluster or raise the limits of the resource pool."


class HostUnavailable(VSphereError):
    transient = True
    default_hint = "Check the ESXi hosts of the compute cluster: connected, and not in maintenance mode."


class Busy(VSphereError):
    transient = True


class Cancelled(VSphereError):
    transient = True


class InvalidState(VSphereError):
    transient = True


class InvalidConfiguration(VSphereError):
    pass


class VSphereFault(VSphereError):
    """A fault the table does not know; `fault_name` is vCenter's own word."""

    transient = True
    default_hint = "Look at the recent tasks in vCenter for details."

    def __init__(self, sentence: str, hint: str = "", *, fault_name: str = "") -> None:
        super().__init__(sentence, hint)
        self.fault_name = fault_name

    @property
    def reason(self) -> str:
        return self.fault_name or "VSphereFault"
