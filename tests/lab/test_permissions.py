"""The lab's vCenter answers about privileges and host clocks as a real one does, and as it is told."""

from datetime import UTC, datetime

from pyVmomi import vim

from tests.lab.api import VSphere
from tests.lab.vcsim import Lab


def held(vcenter: VSphere, entity: object, lab: Lab) -> set[str]:
    manager = vcenter.content.authorizationManager
    (result,) = manager.FetchUserPrivilegeOnEntities([entity], lab.username)
    return set(result.privileges)


def granted(vcenter: VSphere, entity: object, *ids: str) -> list[bool]:
    session = vcenter.content.sessionManager.currentSession.key
    (result,) = vcenter.content.authorizationManager.HasPrivilegeOnEntities([entity], session, list(ids))
    return [entry.isGranted for entry in result.privAvailability]


def test_administrator_holds_every_privilege_that_is_known(lab: Lab, vcenter: VSphere) -> None:
    known = {entry.privId for entry in vcenter.content.authorizationManager.privilegeList}

    assert held(vcenter, vcenter.find(vim.Folder, "palette-gateways"), lab) == known
    assert {"Cns.Searchable", "InventoryService.Tagging.CreateTag", "Vsan.Cluster.ShallowRekey"} <= known


def test_withheld_privilege_is_missing_on_its_object_only(lab: Lab, vcenter: VSphere) -> None:
    folder, other = (vcenter.find(vim.Folder, name) for name in ("palette-gateways", "palette-clusters"))
    lab.withhold("Folder.Create", on=folder._GetMoId())

    assert "Folder.Create" not in held(vcenter, folder, lab)
    assert "Folder.Create" in held(vcenter, other, lab)
    assert granted(vcenter, folder, "Folder.Create", "Folder.Delete") == [False, True]
    lab.grant_all()
    assert granted(vcenter, folder, "Folder.Create") == [True]


def test_forgotten_privilege_is_not_known(lab: Lab, vcenter: VSphere) -> None:
    lab.forget_privileges("Vsan.Cluster.ShallowRekey")

    known = {entry.privId for entry in vcenter.content.authorizationManager.privilegeList}
    assert "Vsan.Cluster.ShallowRekey" not in known
    assert granted(vcenter, vcenter.content.rootFolder, "Vsan.Cluster.ShallowRekey") == [False]


def test_host_keeps_time_as_told(lab: Lab, vcenter: VSphere) -> None:
    host = vcenter.find(vim.HostSystem, "esx-12.lab.example")
    paths = ("config.service.service", "config.dateTimeInfo.ntpConfig.server", "configManager.dateTimeSystem")
    before = vcenter.read(host, *paths)

    lab.set_host_time("esx-12.lab.example", servers=(), running=False, offset=-100)
    after = vcenter.read(host, *paths)

    assert [runs_ntp(read) for read in (before, after)] == [True, False]
    assert list(before[paths[1]]) == ["ntp-1.lab.example", "ntp-2.lab.example"]
    behind = datetime.now(UTC) - after[paths[2]].QueryDateTime()
    assert 99 <= behind.total_seconds() <= 110


def runs_ntp(read: dict[str, object]) -> bool:
    services = read["config.service.service"]
    return any(service.key == "ntpd" and service.running for service in services)  # type: ignore[attr-defined]
