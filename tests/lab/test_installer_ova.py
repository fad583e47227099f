"""The packed OVA as a vCenter reads it at Deploy OVF Template."""

import tarfile
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from gateways.installer.ova.disk import GIB
from tests.lab.api import VSphere
from tests.lab.demo.installer_ova import pack_installer


@pytest.fixture
def import_spec(vcenter: VSphere, tmp_path: Path) -> Any:
    with tarfile.open(pack_installer(tmp_path)) as tar:
        descriptor = tar.extractfile(tar.next()).read().decode()  # type: ignore[union-attr,arg-type]
    network = vim.OvfManager.NetworkMapping(
        name="Installer network", network=vcenter.find(vim.Network, "VM Network")
    )
    wishes = vim.OvfManager.CreateImportSpecParams(
        entityName="gateway-installer", diskProvisioning="thin", networkMapping=[network]
    )
    return vcenter.content.ovfManager.CreateImportSpec(
        descriptor,
        vcenter.resource_pool("cluster-1"),
        vcenter.find(vim.Datastore, "shared-nfs-1"),
        wishes,
    )


def devices(spec: Any, kind: type[Any]) -> list[Any]:
    changes = spec.importSpec.configSpec.deviceChange
    return [change.device for change in changes if isinstance(change.device, kind)]


def test_machine_of_the_ova_is_as_the_descriptor_says(import_spec: Any) -> None:
    config = import_spec.importSpec.configSpec

    assert not import_spec.error
    assert (config.name, config.numCPUs, config.memoryMB) == ("gateway-installer", 2, 4096)
    (disk,) = devices(import_spec, vim.VirtualDisk)
    (controller,) = devices(import_spec, vim.ParaVirtualSCSIController)
    (card,) = devices(import_spec, vim.VirtualVmxnet3)
    assert disk.controllerKey == controller.key
    assert disk.capacityInKB * 1024 == 60 * GIB
    assert card.backing.deviceName == "VM Network"


def test_disk_of_the_ova_is_the_one_file_to_upload(import_spec: Any) -> None:
    (item,) = import_spec.fileItem

    assert item.path == "palette-gateway-installer-disk1.vmdk"
