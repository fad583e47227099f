"""Uploading disks into a machine that vCenter is importing: an NFC lease, kept alive while bytes flow.

The address of a disk may lead to an ESXi host. vCenter vouches for that host's certificate by its SHA-1
thumbprint; without one, the account's own trust decides.
"""

import hashlib
import hmac
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from palette_portal.vsphere.endpoint import HTTPS_PORT, Endpoint
from palette_portal.vsphere.errors import Busy, NotFound, VSphereError, VSphereFault
from palette_portal.vsphere.faults import CONNECTION_ERRORS, translate
from palette_portal.vsphere.ova import Disk
from palette_portal.vsphere.properties import moid_of, read_one
from palette_portal.vsphere.session import VCenter
from palette_portal.vsphere.trust import Trust, VerifiedConnection

STREAMED_DISK = "application/x-vnd.vmware-streamVmdk"
READY_SECONDS = 120.0
LOOK_SECONDS = 0.2
TELL_SECONDS = 2.0

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Vouched(Trust):
    """A host's certificate that vCenter named by its SHA-1 thumbprint."""

    thumbprint_sha1: str = ""

    def context(self) -> ssl.SSLContext:
        return Trust(thumbprint_sha256="unverified").context()

    def accepts(self, certificate: bytes) -> bool:
        seen = hashlib.sha1(certificate, usedforsecurity=False).hexdigest()
        return hmac.compare_digest(seen, self.thumbprint_sha1.replace(":", "").lower())


@dataclass(frozen=True)
class Target:
    """Where one disk goes; `creates`: there is no file yet."""

    device: str
    creates: bool


class Lease:
    """A half-imported machine: complete it, or abort it and vCenter removes the machine."""

    def __init__(self, vcenter: VCenter, lease: Any) -> None:
        self.vcenter, self.lease = vcenter, lease
        self._urls: dict[str, Any] = {}
        self._sent, self._told_at = 0, 0.0

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while (found := self._read()).get("state") == "initializing":
            if time.monotonic() > deadline:
                raise Busy("vCenter does not get ready to take the image's disks.")
            time.sleep(LOOK_SECONDS)
        if found.get("state") != "ready":
            raise self._error(found.get("error"))
        self._urls = {url.importKey: url for url in found.get("info").deviceUrl or ()}

    def machine_moid(self) -> str:
        return moid_of(self._read().get("info").entity)

    def upload(self, disk: Disk, target: Target, *, total: int, tell: Tell) -> None:
        if target.device not in self._urls:
            raise NotFound(f"vCenter gives no place to upload {disk.name} to.")
        address = self._urls[target.device]
        connection, path = self._connect(address)
        try:
            method = "PUT" if target.creates else "POST"
            headers = {"Content-Type": STREAMED_DISK, "Content-Length": str(disk.size), "Overwrite": "t"}
            connection.request(method, path, self._counted(disk, total, tell), headers)
            answer = connection.getresponse()
            answer.read()
        except CONNECTION_ERRORS as problem:
            raise translate(problem, server=str(connection.endpoint)) from problem
        finally:
            connection.close()
        if answer.status >= 300:
            raise VSphereFault(
                f"{connection.endpoint} did not take {disk.name} (HTTP {answer.status}).",
                fault_name="UploadRefused",
            )

    def complete(self) -> None:
        self.lease.HttpNfcLeaseProgress(100)
        self.lease.HttpNfcLeaseComplete()

    def abort(self) -> None:
        """Best effort: the caller looks for what is left."""
        try:
            self.lease.HttpNfcLeaseAbort(None)
        except VSphereError:
            return

    def _counted(self, disk: Disk, total: int, tell: Tell) -> Iterator[bytes]:
        """Each sign of progress also keeps the lease, which vCenter ends after minutes of silence."""
        for chunk in disk.chunks():
            yield chunk
            self._sent += len(chunk)
            if time.monotonic() - self._told_at > TELL_SECONDS:
                self._told_at = time.monotonic()
                percent = min(99, 100 * self._sent // max(total, 1))
                self.lease.HttpNfcLeaseProgress(percent)
                tell(percent)

    def _connect(self, address: Any) -> tuple[VerifiedConnection, str]:
        url = urlsplit(address.url)
        own = self.vcenter.credentials.endpoint
        endpoint = own if url.hostname in ("*", None) else Endpoint(url.hostname, url.port or HTTPS_PORT)
        trust = self.vcenter.credentials.trust
        if endpoint != own and address.sslThumbprint:
            trust = Vouched(thumbprint_sha1=address.sslThumbprint)
        return VerifiedConnection(endpoint, trust, self.vcenter.timeouts), url.path

    def _read(self) -> Any:
        return read_one(self.vcenter, "HttpNfcLease", moid_of(self.lease), ["state", "info", "error"])

    def _error(self, fault: Any) -> VSphereError:
        if fault is None:
            return Busy("vCenter ended the import before it began.")
        return translate(fault, server=self.vcenter.server)
