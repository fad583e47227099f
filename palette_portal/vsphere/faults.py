"""The one table from vSphere faults and socket errors to our errors."""

import socket
import ssl
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from xml.parsers.expat import ExpatError

from palette_portal.vsphere import errors
from palette_portal.vsphere.errors import VSphereError
from palette_portal.vsphere.vmomi import vmodl

CONNECTION_ERRORS: tuple[type[Exception], ...] = (OSError, HTTPException, ExpatError)
CUT_WITHIN_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)

NameOf = Callable[[Any], str]

# First match wins; a fault matches its own class and everything derived from it.
TABLE: tuple[tuple[str, type[VSphereError], str], ...] = (
    ("vim.fault.NotAuthenticated", errors.SessionExpired, "The session with {server} has ended."),
    ("vim.fault.InvalidLogin", errors.LoginRefused, "{server} refused the user name or password."),
    ("vim.fault.NoClientCertificate", errors.LoginRefused, "{server} asks for a client certificate."),
    ("vim.fault.PasswordExpired", errors.LoginRefused, "The password of this user has expired on {server}."),
    ("vim.fault.DuplicateName", errors.NameTaken, "The name “{name}” is already used in this folder."),
    ("vim.fault.AlreadyExists", errors.NameTaken, "“{name}” already exists."),
    ("vim.fault.FileAlreadyExists", errors.NameTaken, "The file {file} already exists on the datastore."),
    ("vim.fault.NoDiskSpace", errors.DatastoreFull, "Datastore “{datastore}” is full."),
    ("vim.fault.InsufficientStorageSpace", errors.DatastoreFull, "The datastore has not enough free space."),
    (
        "vim.fault.InsufficientStorageIops",
        errors.DatastoreFull,
        "The datastore has not enough throughput left.",
    ),
    (
        "vim.fault.InsufficientHostCapacityFault",
        errors.NotEnoughResources,
        "No host has enough free CPU or memory.",
    ),
    (
        "vim.fault.InsufficientResourcesFault",
        errors.NotEnoughResources,
        "Not enough free resources: {message}",
    ),
    ("vmodl.fault.HostNotReachable", errors.HostUnavailable, "The ESXi host cannot be reached by vCenter."),
    ("vmodl.fault.HostNotConnected", errors.HostUnavailable, "The ESXi host is not connected to vCenter."),
    ("vim.fault.HostConnectFault", errors.HostUnavailable, "vCenter cannot talk to the ESXi host."),
    ("vmodl.fault.HostCommunication", errors.HostUnavailable, "vCenter cannot talk to the ESXi host."),
    (
        "vim.fault.NoCompatibleHost",
        errors.HostUnavailable,
        "No host of the compute cluster can run this machine.",
    ),
    ("vim.fault.InaccessibleDatastore", errors.HostUnavailable, "Datastore “{name}” cannot be reached."),
    ("vim.fault.TaskInProgress", errors.Busy, "Another vSphere task is working on this object."),
    ("vim.fault.ConcurrentAccess", errors.Busy, "Somebody else is changing this object in vCenter."),
    ("vim.fault.ResourceInUse", errors.Busy, "“{name}” is in use."),
    ("vim.fault.FileLocked", errors.Busy, "The file {file} is locked by another task."),
    ("vim.fault.Timedout", errors.Busy, "vCenter gave up waiting for the operation."),
    ("vmodl.fault.RequestCanceled", errors.Cancelled, "The vSphere task was cancelled."),
    ("vmodl.fault.ManagedObjectNotFound", errors.NotFound, "{object} no longer exists in vCenter."),
    ("vim.fault.NotFound", errors.NotFound, "vCenter cannot find an object that is needed."),
    ("vim.fault.FileNotFound", errors.NotFound, "The file {file} is missing on the datastore."),
    ("vim.fault.InvalidPowerState", errors.InvalidState, "The machine is {existing}, not {requested}."),
    ("vim.fault.InvalidState", errors.InvalidState, "The object's state does not allow this now: {message}"),
    (
        "vim.fault.RestrictedVersion",
        errors.VersionRefused,
        "The licence of {server} does not allow this call.",
    ),
    ("vim.fault.InvalidDatastore", errors.InvalidConfiguration, "Datastore “{name}” cannot be used here."),
    ("vim.fault.InvalidName", errors.InvalidConfiguration, "vCenter does not accept the name “{name}”."),
    (
        "vim.fault.VmConfigFault",
        errors.InvalidConfiguration,
        "vCenter refuses the machine's hardware: {message}",
    ),
    ("vmodl.fault.InvalidArgument", errors.InvalidConfiguration, "vCenter refuses the value of {property}."),
    (
        "vmodl.fault.InvalidRequest",
        errors.InvalidConfiguration,
        "{server} does not understand the request: {message}",
    ),
    ("vmodl.fault.NotSupported", errors.InvalidConfiguration, "{server} does not support this operation."),
    ("vmodl.fault.NotEnoughLicenses", errors.NotEnoughResources, "vCenter has not enough licences."),
)


def translate(fault: Exception, *, server: str, name_of: NameOf | None = None) -> VSphereError:
    """Our error for anything that a call to vCenter raised."""
    if isinstance(fault, VSphereError):
        return fault
    if isinstance(fault, vmodl.MethodFault):
        return _from_fault(fault, server, name_of or _moid_of)
    return _from_connection(fault, server)


def _from_fault(fault: Any, server: str, name_of: NameOf) -> VSphereError:
    names = _class_names(fault)
    if "vim.fault.NoPermission" in names and "vim.fault.NotAuthenticated" not in names:
        return _no_permission(fault, name_of)
    for fault_name, error, sentence in TABLE:
        if fault_name in names:
            return error(sentence.format_map(_Words(fault, server, name_of)))
    name = names[0].rpartition(".")[2]
    return errors.VSphereFault(f"vCenter reports {name}: {_message(fault)}", fault_name=name)


def _class_names(fault: Any) -> list[str]:
    return [getattr(kind, "__name__", "") for kind in type(fault).__mro__]


class _Words(dict[str, str]):
    """The words a sentence of the table may use, read from the fault only when asked for."""

    ATTRIBUTES = {"property": "invalidProperty", "existing": "existingState", "requested": "requestedState"}

    def __init__(self, fault: Any, server: str, name_of: NameOf) -> None:
        super().__init__(server=server, message=_message(fault))
        self.fault = fault
        self.name_of = name_of

    def __missing__(self, word: str) -> str:
        if word == "object":
            return self._object()
        value = getattr(self.fault, self.ATTRIBUTES.get(word, word), None)
        return str(value) if value else "?"

    def _object(self) -> str:
        gone = getattr(self.fault, "obj", None)
        return (
            f"{type(gone).__name__.rpartition('.')[2]} {_moid_of(gone)}" if gone is not None else "The object"
        )


def _no_permission(fault: Any, name_of: NameOf) -> VSphereError:
    privileges, objects = _missing_privileges(fault)
    names = sorted({name_of(managed) for managed in objects})
    where = " and ".join(f"“{name}”" for name in names) or "an object in vCenter"
    what = ", ".join(privileges) or "a privilege that vCenter does not name"
    plural = "privileges" if len(privileges) > 1 else "privilege"
    return errors.NoPermission(
        f"The account lacks the {plural} {what} on {where}.",
        f"Give the account's role {what} on {where} in vCenter.",
        privileges=privileges,
        object_name=names[0] if names else "",
    )


def _missing_privileges(fault: Any) -> tuple[list[str], list[Any]]:
    missing = getattr(fault, "missingPrivileges", None) or []
    privileges = [name for entry in missing for name in entry.privilegeIds]
    objects = [entry.entity for entry in missing if entry.entity is not None]
    if not privileges and fault.privilegeId:
        privileges = [fault.privilegeId]
    if not objects and fault.object is not None:
        objects = [fault.object]
    return list(dict.fromkeys(privileges)), objects


def _moid_of(managed: Any) -> str:
    moid: str = managed._GetMoId()
    return moid


def _message(fault: Any) -> str:
    return str(getattr(fault, "msg", "") or "no message")


def _from_connection(problem: Exception, server: str) -> VSphereError:
    if isinstance(problem, socket.gaierror):
        return errors.Unreachable(
            f"The name {server} cannot be resolved.",
            "Check the spelling of the server and this portal's DNS.",
        )
    if isinstance(problem, TimeoutError):
        return errors.Unreachable(f"{server} did not answer in time.")
    if isinstance(problem, ConnectionRefusedError):
        return errors.Unreachable(
            f"{server} refused the connection.", "Check server and port; is vCenter running?"
        )
    if isinstance(problem, ssl.SSLError) and not isinstance(problem, CUT_WITHIN_TLS):
        reason = getattr(problem, "reason", None) or "TLS error"
        return errors.NotVCenter(f"{server} does not speak TLS as vCenter does ({reason}).")
    if isinstance(problem, ExpatError):
        return errors.NotVCenter(f"{server} does not answer as a vCenter does.")
    if isinstance(problem, (ConnectionError, OSError)):
        return errors.Unreachable(f"The connection to {server} was cut ({_cause(problem)}).")
    return _from_http(problem, server)


def _from_http(problem: Exception, server: str) -> VSphereError:
    status = str(problem)[:3]
    if status in {"502", "503", "504"}:
        return errors.Unreachable(f"{server} answers but vCenter is not ready (HTTP {status}).")
    if status.isdigit():
        return errors.NotVCenter(f"{server} does not answer as a vCenter does (HTTP {status}).")
    return errors.Unreachable(f"The connection to {server} was cut ({type(problem).__name__}).")


def _cause(problem: OSError) -> str:
    if isinstance(problem, ssl.SSLError):
        return "TLS ended in the middle"
    return problem.strerror or type(problem).__name__
