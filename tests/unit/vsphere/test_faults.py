import socket
import ssl
from http.client import HTTPException, RemoteDisconnected
from xml.parsers.expat import ExpatError

import pytest
from pyVmomi import vim, vmodl

from palette_portal.vsphere import errors
from palette_portal.vsphere.faults import TABLE, translate

SERVER = "vcenter.example.com"


def translated(fault: Exception) -> errors.VSphereError:
    return translate(fault, server=SERVER, name_of=lambda _managed: "spectro-templates")


@pytest.mark.parametrize(
    ("fault", "error", "transient", "sentence"),
    [
        (
            vim.fault.InvalidLogin(),
            errors.LoginRefused,
            False,
            f"{SERVER} refused the user name or password.",
        ),
        (vim.fault.NotAuthenticated(), errors.SessionExpired, True, f"The session with {SERVER} has ended."),
        (
            vim.fault.DuplicateName(name="gw-1"),
            errors.NameTaken,
            False,
            "The name “gw-1” is already used in this folder.",
        ),
        (
            vim.fault.NoDiskSpace(datastore="shared-nfs-1"),
            errors.DatastoreFull,
            False,
            "Datastore “shared-nfs-1” is full.",
        ),
        (
            vim.fault.InsufficientStorageSpace(),
            errors.DatastoreFull,
            False,
            "The datastore has not enough free space.",
        ),
        (
            vim.fault.InsufficientMemoryResourcesFault(msg="memory"),
            errors.NotEnoughResources,
            False,
            "Not enough free resources: memory",
        ),
        (
            vim.fault.InvalidPowerState(existingState="poweredOn", requestedState="poweredOff"),
            errors.InvalidState,
            True,
            "The machine is poweredOn, not poweredOff.",
        ),
        (
            vim.fault.TaskInProgress(),
            errors.Busy,
            True,
            "Another vSphere task is working on this object.",
        ),
        (
            vmodl.fault.HostNotReachable(),
            errors.HostUnavailable,
            True,
            "The ESXi host cannot be reached by vCenter.",
        ),
        (
            vmodl.fault.InvalidArgument(invalidProperty="spec.location.pool"),
            errors.InvalidConfiguration,
            False,
            "vCenter refuses the value of spec.location.pool.",
        ),
        (
            vmodl.fault.ManagedObjectNotFound(obj=vim.VirtualMachine("vm-42", None)),
            errors.NotFound,
            False,
            "VirtualMachine vm-42 no longer exists in vCenter.",
        ),
        (
            vmodl.fault.SystemError(msg="internal"),
            errors.VSphereFault,
            True,
            "vCenter reports SystemError: internal",
        ),
    ],
)
def test_fault_becomes_our_error(
    fault: Exception, error: type[errors.VSphereError], transient: bool, sentence: str
) -> None:
    result = translated(fault)

    assert type(result) is error
    assert (result.transient, result.sentence) == (transient, sentence)


def test_unknown_fault_keeps_its_own_name_as_reason() -> None:
    assert translated(vmodl.fault.SystemError()).reason == "SystemError"


def test_no_permission_names_privilege_and_object() -> None:
    fault = vim.fault.NoPermission(
        privilegeId="VirtualMachine.Provisioning.DeployTemplate", object=vim.Folder("group-v3", None)
    )

    error = translated(fault)

    assert isinstance(error, errors.NoPermission)
    assert error.privileges == ("VirtualMachine.Provisioning.DeployTemplate",)
    assert error.object_name == "spectro-templates"
    assert "VirtualMachine.Provisioning.DeployTemplate on “spectro-templates”" in error.sentence


def test_no_permission_of_newer_servers_names_all_privileges() -> None:
    missing = vim.fault.NoPermission.EntityPrivileges(
        entity=vim.Folder("group-v3", None), privilegeIds=["Folder.Create", "Folder.Delete"]
    )

    error = translated(vim.fault.NoPermission(missingPrivileges=[missing]))

    assert isinstance(error, errors.NoPermission)
    assert error.privileges == ("Folder.Create", "Folder.Delete")


@pytest.mark.parametrize(
    ("problem", "error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), errors.Unreachable, "cannot be resolved"),
        (TimeoutError("timed out"), errors.Unreachable, "did not answer in time"),
        (ConnectionRefusedError(111, "Connection refused"), errors.Unreachable, "refused the connection"),
        (ConnectionResetError(104, "Connection reset by peer"), errors.Unreachable, "was cut"),
        (RemoteDisconnected("closed"), errors.Unreachable, "was cut"),
        (OSError(113, "No route to host"), errors.Unreachable, "No route to host"),
        (HTTPException("503 Service Unavailable"), errors.Unreachable, "not ready"),
        (HTTPException("404 Not Found"), errors.NotVCenter, "HTTP 404"),
        (ExpatError("not well-formed"), errors.NotVCenter, "does not answer as a vCenter"),
        (
            ssl.SSLEOFError(8, "EOF occurred (_ssl.c:2427)"),
            errors.Unreachable,
            "was cut (TLS ended in the middle).",
        ),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), errors.NotVCenter, "TLS"),
    ],
)
def test_connection_problem_becomes_our_error(
    problem: Exception, error: type[errors.VSphereError], words: str
) -> None:
    result = translated(problem)

    assert type(result) is error
    assert words in result.sentence
    assert result.hint


def test_our_own_error_passes_unchanged() -> None:
    error = errors.Busy("Wait.")

    assert translated(error) is error


@pytest.mark.parametrize("fault_name", [name for name, _error, _sentence in TABLE])
def test_each_fault_of_the_table_exists(fault_name: str) -> None:
    package, _, name = fault_name.rpartition(".")

    fault = getattr({"vim.fault": vim.fault, "vmodl.fault": vmodl.fault}[package], name)

    assert fault.__name__ == fault_name
    assert "{" not in translated(fault()).sentence
