import pytest

from gateways.prerequisites.guide import guide
from gateways.prerequisites.table import ROOT, SPECTRO, VERSIONS, load_tables, table_for

ROOT_IDS = {
    "Cns.Searchable",
    "Datastore.Browse",
    "Host.Config.Storage",
    "InventoryService.Tagging.CreateTag",
    "InventoryService.Tagging.EditTag",
    "Network.Assign",
    "Sessions.ValidateSession",
    "StorageProfile.View",
    "StorageViews.View",
}
# The least that cloning, starting and removing machines takes.
MUST_IDS = {
    *(f"Datastore.{word}" for word in ("AllocateSpace", "Browse", "FileManagement")),
    *("Folder.Create", "Folder.Delete", "Network.Assign", "Resource.AssignVMToPool"),
    *("Sessions.ValidateSession", "StorageProfile.View", "InventoryService.Tagging.AttachTag"),
    *(f"VirtualMachine.Config.Add{word}" for word in ("NewDisk", "ExistingDisk", "RemoveDevice")),
    *(f"VirtualMachine.Config.{word}" for word in ("AdvancedConfig", "CPUCount", "Memory", "DiskExtend")),
    *(f"VirtualMachine.Config.{word}" for word in ("EditDevice", "RemoveDisk", "Settings", "Annotation")),
    *("VirtualMachine.Interact.PowerOn", "VirtualMachine.Interact.PowerOff"),
    *("VirtualMachine.Inventory.CreateFromExisting", "VirtualMachine.Inventory.Delete"),
    *("VirtualMachine.Provisioning.DeployTemplate", "VirtualMachine.Provisioning.Clone"),
    "VirtualMachine.State.CreateSnapshot",
}


@pytest.mark.parametrize("version", VERSIONS)
def test_table_has_the_known_number_of_privileges(version):
    table = load_tables()[version]

    assert len(table.privileges) == len({privilege.id for privilege in table.privileges}) == 103
    assert {privilege.id for privilege in table.of_role(ROOT)} == ROOT_IDS
    spectro = {privilege.id for privilege in table.of_role(SPECTRO)}
    assert len(spectro) == 102
    assert {privilege.id for privilege in table.privileges} - spectro == {"Host.Config.Storage"}
    assert table.read_only == {"System.Anonymous", "System.Read", "System.View"}


def test_versions_differ_in_the_words_for_one_privilege():
    def words(version):
        return {(one.id, one.group, one.label) for one in load_tables()[version].privileges}

    assert words("7.0") == words("6.7")
    assert words("8.0") - words("7.0") == {
        ("StorageProfile.View", "VM Storage Policies", "View VM storage policies")
    }
    assert words("7.0") - words("8.0") == {
        ("StorageProfile.View", "Profile-driven storage", "Profile-driven storage view")
    }


def test_needed_privileges_are_those_of_the_clone_path():
    table = load_tables()["8.0"]

    assert {privilege.id for privilege in table.privileges if privilege.must_on} == MUST_IDS


@pytest.mark.parametrize("kind", load_tables()["8.0"].kinds)
def test_what_is_needed_on_a_kind_is_in_its_role(kind):
    table = load_tables()["8.0"]

    assert table.must_on(kind) <= table.needed_on(kind)
    assert len(table.needed_on(kind)) == {"root": 9, "spectro": 102, "read-only": 3}[
        table.kinds[kind].role
    ] + (3 if kind == "image-folder" else 0)


def test_every_kind_that_a_privilege_names_exists():
    table = load_tables()["8.0"]

    named = {kind for privilege in table.privileges for kind in privilege.must_on} | table.read_only_must_on
    assert named <= set(table.kinds)


def test_root_level_role_is_not_propagated():
    kinds = load_tables()["8.0"].kinds

    assert {kind.key for kind in kinds.values() if kind.role == ROOT} == {"root", "datacenter"}
    assert not any(kind.propagate for kind in kinds.values() if kind.role in (ROOT, "read-only"))


@pytest.mark.parametrize(
    ("server", "table"),
    [
        ("8.0.3", "8.0"),
        ("8.1.0", "8.0"),
        ("9.0.0", "8.0"),
        ("7.0.3", "7.0"),
        ("6.7.0", "6.7"),
        ("6.5.0", "6.7"),
        ("", "6.7"),
    ],
)
def test_table_of_a_server(server, table):
    assert table_for(server).version == table


@pytest.mark.parametrize("version", VERSIONS)
def test_guide_shows_each_privilege_of_each_role_once(version):
    shown = guide(load_tables()[version])

    for role, count in zip(shown.roles, (9, 102), strict=True):
        ids = [privilege.id for _group, privileges in role.groups for privilege in privileges]
        assert len(ids) == len(set(ids)) == role.count == count
    assert bool(shown.warning) == (version == "6.7")
