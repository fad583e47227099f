"""What a check finds on the lab's vCenter, asked over the wire; and what it costs."""

from dataclasses import replace

import pytest

from gateways.prerequisites import Place, Scope, WantedMachine, run_checks
from gateways.prerequisites.clocks import CLOCKS_ASKED
from gateways.prerequisites.exports.roles import needed_roles
from gateways.prerequisites.table import load_tables
from ippools.reservations import control_plane
from palette_portal.vsphere.inventory import read_inventory
from palette_portal.vsphere.session import connect
from palette_portal.vsphere.survey import read_survey
from tests.factories import make_gateway, make_pool
from tests.lab.vcsim import Lab

TEMPLATE = "r_u-2204-0-k-1312-0"
MOST_ROUND_TRIPS = 10


@pytest.fixture(scope="module")
def running_lab():
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(running_lab):
    """Without faults; afterwards no session may be left."""
    yield running_lab
    running_lab.heal()
    running_lab.set_version(running_lab.version)
    assert running_lab.sessions() == []


@pytest.fixture(scope="module")
def inventory(running_lab):
    with connect(running_lab.credentials()) as vcenter:
        return read_inventory(vcenter)


@pytest.fixture(scope="module")
def switch(running_lab):
    with connect(running_lab.credentials()) as vcenter:
        return next(iter(read_survey(vcenter).switches.values()))


@pytest.fixture
def scope(inventory):
    """One machine in each of the three compute clusters."""
    places = tuple(place(inventory, number) for number in (1, 2, 3))
    return Scope(
        datacenter_moid=inventory.datacenters[0].moid,
        folder_moid=named(inventory.folders, "palette-clusters").moid,
        image_template=TEMPLATE,
        places=places,
        machines=tuple(WantedMachine(f"shop-cp-{n}", 2, 4096, 60, place=n - 1) for n in (1, 2, 3)),
    )


def place(inventory, number, *, datastore="shared-nfs-1", network="k8s-nodes"):
    cluster = named(inventory.compute_clusters, f"cluster-{number}")
    pools = [pool for pool in inventory.resource_pools if pool.compute_cluster_moid == cluster.moid]
    return Place(
        zone=f"az{number}",
        compute_cluster_moid=cluster.moid,
        resource_pool_moid=named(pools, "workloads").moid,
        datastore_moid=named(inventory.datastores, datastore).moid,
        network_moid=named(inventory.networks, network).moid,
    )


def named(items, name):
    return next(item for item in items if item.name == name)


def single(scope, **changes):
    """The same for the first compute cluster alone, with other choices."""
    chosen = replace(scope.places[0], **changes)
    return replace(scope, places=(chosen,), machines=scope.machines[:1])


def check(lab, scope=None, **login):
    credentials = lab.credentials(**login)
    return run_checks(credentials, scope) if scope else run_checks(credentials)


def lines(report, key):
    return [line for line in report.lines if line.key == key]


def line(report, key):
    (found,) = lines(report, key)
    return found


def worst(report, key):
    return max(lines(report, key), key=lambda one: ("passed", "warning", "failed").index(one.level))


# As it should be


def test_healthy_vcenter_passes_every_line(lab):
    report = check(lab)

    assert [one for one in report.lines if one.level != "passed"] == []
    assert (report.level, report.version, report.principal) == ("passed", "8.0.3", lab.username)


def test_healthy_deployment_passes_every_line(lab, scope):
    report = check(lab, scope)

    assert [one for one in report.lines if one.level != "passed"] == []
    assert {one.key for one in report.lines} >= {"folder", "image-template", "names", "space", "capacity"}


def test_report_for_three_compute_clusters_costs_ten_round_trips(lab, scope):
    lab.forget_calls()

    report = check(lab, scope)

    soap = sum(count for method, count in lab.calls().items() if "/" not in method and method != "Logout")
    assert report.round_trips <= MOST_ROUND_TRIPS
    assert soap == 6
    assert check(lab).round_trips <= MOST_ROUND_TRIPS - 1


# Privileges


def test_needed_privilege_that_is_missing_on_the_folder_fails(lab, scope):
    lab.withhold("VirtualMachine.Config.CPUCount", "Vsan.Cluster.ShallowRekey", on=scope.folder_moid)

    found = line(check(lab, scope), "privileges:folder")

    assert (found.level, found.object_name) == ("failed", "palette-clusters")
    assert found.missing == ("VirtualMachine.Config.CPUCount", "Vsan.Cluster.ShallowRekey")
    assert "VirtualMachine.Config.CPUCount" in found.sentence and "1 recommended one" in found.sentence
    assert "palette-spectro" in found.hint


def test_recommended_privilege_that_is_missing_warns(lab, scope):
    lab.withhold("VirtualMachine.Config.CPUCount", on=scope.places[0].resource_pool_moid)

    report = check(lab, scope)

    found = worst(report, "privileges:resource-pool")
    assert (found.level, found.object_name) == ("warning", "cluster-1/Resources/workloads")
    assert len(lines(report, "privileges:resource-pool")) == 2


def test_objects_that_lack_the_same_are_one_line(lab):
    lab.withhold("Host.Local.ReconfigVM")

    found = line(check(lab), "privileges:host")

    assert found.level == "warning" and len(found.targets) == 9
    assert found.object_name == "esx-11.lab.example, esx-12.lab.example and 7 more"


def test_privilege_that_this_vcenter_does_not_know_is_not_missing(lab):
    lab.forget_privileges("Vsan.Cluster.ShallowRekey")

    assert check(lab).level == "passed"


def test_switch_of_a_distributed_port_group_needs_read_only(lab, scope, switch):
    lab.withhold("System.Read", on=switch)

    found = line(check(lab, scope), "privileges:switch")

    assert (found.level, found.object_name, found.missing) == ("failed", "dvs-1", ("System.Read",))
    assert "Read-only" in found.hint and "without propagating" in found.hint


def test_network_of_a_standard_switch_needs_no_read_only_on_a_switch(lab, scope, inventory):
    standard = replace(scope, places=tuple(place(inventory, n, network="management") for n in (1, 2, 3)))

    assert lines(check(lab, standard), "privileges:switch") == []


def test_root_level_role_is_asked_for_on_root_and_data_center_only(lab):
    lab.withhold("Host.Config.Storage")

    report = check(lab)

    lacking = {one.key for one in report.lines if one.missing}
    assert lacking == {"privileges:root", "privileges:datacenter"}


@pytest.mark.parametrize("fault", ["NotSupported", "MethodNotFound", "NoPermission"])
def test_older_question_is_asked_when_the_newer_one_is_refused(lab, scope, fault):
    lab.fail("FetchUserPrivilegeOnEntities", fault)
    lab.withhold("Folder.Delete", on=scope.folder_moid)
    lab.forget_calls()

    found = line(check(lab, scope), "privileges:folder")

    assert (found.level, found.missing) == ("failed", ("Folder.Delete",))
    assert lab.calls()["HasPrivilegeOnEntities"] == 1


def test_account_without_any_privilege_fails_with_all_of_them(lab, scope):
    lab.withhold("*")

    report = check(lab, scope)

    assert len(line(report, "privileges:root").missing) == 9
    assert len(line(report, "privileges:folder").missing) == 102
    roles = {role.key: role for role in needed_roles(report)}
    assert {key: len(role.missing) for key, role in roles.items()} == {
        "root": 9,
        "spectro": 102,
        "read-only": 0,
    }


def test_question_that_nobody_answers_is_one_failed_line_and_the_rest_goes_on(lab, scope):
    lab.fail("FetchUserPrivilegeOnEntities", "NotSupported")
    lab.fail("HasPrivilegeOnEntities", "NotSupported")

    report = check(lab, scope)

    assert [one.object_name for one in report.failed] == ["Compare privileges"]
    assert lines(report, "zone-tags") and lines(report, "ntp")


def test_every_target_of_a_script_exists(lab, scope):
    lab.withhold("*")

    report = check(lab, scope)

    kinds = load_tables()["8.0"].kinds
    grants = [grant for role in needed_roles(report) for grant in role.grants]
    assert {grant.target.kind for grant in grants} == set(kinds)
    assert all(grant.target.reference.endswith(grant.target.moid) for grant in grants)


# Placement


def test_resource_pool_of_another_compute_cluster_fails(lab, scope):
    wrong = single(scope, resource_pool_moid=scope.places[1].resource_pool_moid)

    assert "belongs to cluster-2" in line(check(lab, wrong), "resource-pool").sentence


def test_datastore_that_the_hosts_do_not_mount_fails(lab, scope, inventory):
    local = single(scope, datastore_moid=named(inventory.datastores, "cluster-2-vmfs").moid)

    found = line(check(lab, local), "shared-storage")

    assert found.level == "failed" and "esx-11.lab.example" in found.sentence


@pytest.mark.parametrize(
    ("choice", "key"),
    [
        ("compute_cluster_moid", "compute-cluster"),
        ("resource_pool_moid", "resource-pool"),
        ("datastore_moid", "shared-storage"),
        ("network_moid", "network-reach"),
    ],
)
def test_choice_that_is_gone_fails(lab, scope, choice, key):
    found = line(check(lab, single(scope, **{choice: "gone-1"})), key)

    assert found.level == "failed" and "not in vCenter any more" in found.sentence


def test_folder_that_is_gone_fails(lab, scope):
    assert line(check(lab, replace(scope, folder_moid="group-v999")), "folder").level == "failed"


@pytest.mark.parametrize(
    ("changes", "level", "said"),
    [
        ({"image_template": "missing"}, "failed", "holds no such template"),
        ({"image_template": "missing", "image_will_be_imported": True}, "passed", "will be imported"),
        ({"image_folder": "elsewhere"}, "failed", "There is no folder elsewhere"),
        ({"image_folder": "elsewhere", "image_will_be_imported": True}, "warning", "There is no folder"),
        ({"image_folder": "infrastructure", "image_template": "jump-host"}, "failed", "not a template"),
    ],
)
def test_image_is_looked_for(lab, scope, changes, level, said):
    found = line(check(lab, replace(scope, **changes)), "image-template")

    assert found.level == level and said in found.sentence


# Room


def test_names_of_other_machines_are_taken(lab, scope, inventory):
    taken = replace(scope, folder_moid=named(inventory.folders, "infrastructure").moid)
    taken = replace(taken, machines=(WantedMachine("jump-host", 2, 4096, 20), *scope.machines))

    found = line(check(lab, taken), "names")

    assert (found.level, found.object_name) == ("failed", "infrastructure")
    assert "jump-host" in found.sentence


@pytest.mark.parametrize(("gib", "level"), [(10, "passed"), (17, "warning"), (19, "failed")])
def test_space_is_compared_with_the_disks(lab, scope, inventory, gib, level):
    small = single(scope, datastore_moid=named(inventory.datastores, "cluster-1-scratch").moid)
    machines = tuple(WantedMachine(f"shop-{n}", 2, 4096, gib) for n in range(1 if gib == 10 else 2))

    assert line(check(lab, replace(small, machines=machines)), "space").level == level


def test_scarce_memory_is_a_warning(lab, scope):
    big = replace(single(scope), machines=(WantedMachine("shop-1", 8, 900 * 1024, 20),))

    assert line(check(lab, big), "capacity").level == "warning"


@pytest.mark.django_db
def test_addresses_are_counted(lab, scope):
    pool = make_pool(make_gateway(), start="10.10.183.20", end="10.10.183.24")

    enough = check(lab, replace(scope, addresses=((pool, control_plane(3)),)))
    lacking = check(lab, replace(scope, addresses=((pool, control_plane(5)),)))

    assert line(enough, "addresses").level == "passed"
    assert line(lacking, "addresses").level == "failed"
    assert "7 are needed" in line(lacking, "addresses").sentence


# Time


def test_host_without_ntp_warns_when_its_clock_is_right(lab):
    lab.set_host_time("esx-12.lab.example", servers=(), running=False)

    found = worst(check(lab), "ntp")

    assert (found.level, found.object_name) == ("warning", "esx-12.lab.example")
    assert "No NTP server is configured." in found.sentence


def test_host_without_ntp_whose_clock_is_wrong_fails(lab):
    lab.set_host_time("esx-22.lab.example", running=False, offset=-75)

    found = worst(check(lab), "ntp")

    assert (found.level, found.object_name) == ("failed", "esx-22.lab.example")
    assert "does not run" in found.sentence and "75 s behind" in found.sentence


def test_only_a_few_clocks_are_asked(lab):
    lab.set_host_time(running=False)
    lab.forget_calls()

    report = check(lab)

    assert lab.calls()["QueryDateTime"] == CLOCKS_ASKED
    assert {one.level for one in lines(report, "ntp")} == {"warning"}


def test_clock_of_vcenter_that_is_off_warns(lab):
    lab.set_clock_offset(120)

    assert line(check(lab), "clock").level == "warning"


# The server itself


def test_name_that_dns_does_not_know_fails(lab):
    report = check(lab, server="vcenter.invalid")

    assert [one.key for one in report.failed] == ["dns", "login"]


def test_refused_login_ends_the_check(lab):
    report = check(lab, password="wrong")

    assert [one.key for one in report.failed] == ["login"]
    assert "wrong" not in str(report.as_json())


@pytest.mark.parametrize(
    ("version", "level", "key"), [("6.7.0", "warning", "version"), ("6.5.0", "failed", "login")]
)
def test_old_version_is_told(lab, version, level, key):
    lab.set_version(version)

    assert line(check(lab), key).level == level


def test_vcenter_that_stops_answering_in_the_middle_is_a_failed_line(lab):
    lab.fail("RetrievePropertiesEx", "SystemError")

    report = check(lab)

    assert report.failed[-1].key == "login" and report.lines[0].level == "passed"
