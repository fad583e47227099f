"""The prerequisites of one deployment, asked of vCenter while the person waits."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from clusters.actions.requests import ClusterRequest
from clusters.deploy.names import taken_names
from clusters.deploy.offers import ask
from clusters.deploy.review import Review
from gateways.prerequisites import Line, Place, Report, Scope, WantedMachine, run_checks
from palette_portal.vsphere.errors import TemplateNotFound, VSphereError
from palette_portal.vsphere.machines import find_template
from palette_portal.vsphere.session import VCenter

GROUPS = (("failed", "Has to be put right"), ("warning", "Look at this"), ("passed", "In order"))


@dataclass(frozen=True)
class Finding:
    """The report, and whether the node image has to be imported first."""

    report: Report
    imports_image: bool

    @property
    def is_possible(self) -> bool:
        return self.report.level != "failed"

    @property
    def groups(self) -> list[tuple[str, str, tuple[Line, ...]]]:
        return [(level, title, lines) for level, title in GROUPS if (lines := self._of(level))]

    def _of(self, level: str) -> tuple[Line, ...]:
        return tuple(line for line in self.report.lines if line.level == level)


def check_deployment(review: Review) -> Finding:
    """Raise VSphereError when vCenter does not answer at all."""
    request, scope = review.request, scope_of(review)
    account = request.cloud_account

    def question(vcenter: VCenter) -> Finding:
        try:
            return Finding(run_checks(account, scope), not _has_template(vcenter, request))
        finally:
            connection.close()  # of this thread

    found = ask(account, question)
    own = [*map(_line, review.problems), *_names_in_own_folder(review)]
    others = [line for line in found.report.lines if line.key != "names" or not request.has_own_folder]
    report = Report((*own, *others), server=found.report.server, version=found.report.version)
    return Finding(report, found.imports_image and bool(request.image_url))


def scope_of(review: Review) -> Scope:
    """Addresses are not asked about: the review knows them."""
    request = review.request
    places = list(dict.fromkeys(place for pool in request.pools for place in pool.placements))
    return Scope(
        datacenter_moid=request.datacenter_moid,
        folder_moid=request.folder_moid,
        image_folder=request.image_folder,
        image_template=request.image_template,
        image_will_be_imported=bool(request.image_url),
        places=tuple(
            Place(
                zone=place.zone,
                compute_cluster_moid=place.compute_cluster_moid,
                resource_pool_moid=place.resource_pool_moid,
                datastore_moid=place.datastore_moid,
                network_moid=place.network_moid,
            )
            for place in places
        ),
        machines=tuple(
            WantedMachine(
                name=machine.name,
                num_cpus=machine.pool.num_cpus,
                memory_mib=machine.pool.memory_mib,
                disk_gib=machine.pool.disk_gib,
                place=places.index(machine.place),
            )
            for machine in review.machines
        ),
    )


def _has_template(vcenter: VCenter, request: ClusterRequest) -> bool:
    try:
        find_template(vcenter, request.datacenter_moid, request.image_folder, request.image_template)
    except TemplateNotFound:
        return False
    except VSphereError:
        return True
    return True


def _names_in_own_folder(review: Review) -> list[Line]:
    """The report looks into the folder that was chosen, not into the cluster's own in it."""
    request, names = review.request, [machine.name for machine in review.machines]
    if not request.has_own_folder:
        return []
    taken = taken_names(
        request.cloud_account,
        review.offer,
        folder_moid=request.folder_moid,
        cluster_name=request.name,
        own_folder=True,
        planned=names,
    )
    kind, hint = "Folder", "Remove it, or choose another name for the cluster."
    if taken:
        said = f"It holds a virtual machine {taken[0]} already."
        return [Line("names", "failed", kind, review.folder, said, hint)]
    return [Line("names", "passed", kind, review.folder, "No other machine has one of the names.")]


def _line(problem: str) -> Line:
    return Line("plan", "failed", "Cluster", "", problem)


def sentences(finding: Finding) -> Iterator[str]:
    """For the command line."""
    for line in finding.report.lines:
        named = f" {line.object_name}" if line.object_name else ""
        yield f"{line.level:<8}{line.object_kind}{named}: {line.sentence} {line.hint}".rstrip()
