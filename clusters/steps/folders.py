"""A folder of the cluster's own inside the one that was chosen."""

from clusters.models import Cluster
from clusters.steps.work import Work, step
from palette_portal.orchestration.models import Severity
from palette_portal.orchestration.outcomes import Done, Note, Outcome
from palette_portal.vsphere.errors import NameTaken
from palette_portal.vsphere.folders import create_folder, find_child_folder, folder_exists, is_empty

# Kept before the folder is made: whoever finds it afterwards knows that it is ours.
MAKING = "making-folder"


@step
def ensure_own_folder(work: Work) -> Outcome:
    cluster = work.cluster
    if cluster.own_folder_moid and folder_exists(work.vcenter, cluster.own_folder_moid):
        return _done(cluster, cluster.own_folder_moid)
    found = find_child_folder(work.vcenter, cluster.folder_moid, cluster.name)
    if found and work.context.external_ref != MAKING:
        _check_usable(work, found)
    if not found:
        work.context.keep_reference(MAKING)
        work.context.still_mine()
        found = create_folder(work.vcenter, cluster.folder_moid, cluster.name)
    return _done(cluster, found)


def _check_usable(work: Work, moid: str) -> None:
    """An empty folder that nobody uses, left by an earlier cluster of the name, serves as well."""
    others = Cluster.objects.present().filter(
        own_folder_moid=moid, cloud_account__vcenter_server=work.account.vcenter_server
    )
    if others.exclude(pk=work.cluster.pk).exists() or not is_empty(work.vcenter, moid):
        name, parent = work.cluster.name, work.cluster.folder_name
        raise NameTaken(
            f"The folder {parent} has a folder {name} already, and it is in use.",
            "Rename or empty it in vCenter, or deploy the cluster with another name.",
        )


def _done(cluster: Cluster, moid: str) -> Done:
    def write() -> None:
        Cluster.objects.filter(pk=cluster.pk).update(own_folder_moid=moid)

    message = f"Machines of {cluster.name} are in a folder of its own in {cluster.folder_name}."
    return Done(message, (Note(Severity.INFO, "FolderMade", message),), write)
