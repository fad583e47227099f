"""What a cluster has besides its machines: volumes of workloads, which stay, and a folder of its own."""

from collections.abc import Sequence

from django.db.models import QuerySet

from clusters.models import Cluster, Leftover, LeftoverKind
from clusters.steps.work import Work, step
from palette_portal.orchestration.models import Severity, Step
from palette_portal.orchestration.outcomes import Done, Note, Outcome, Wait
from palette_portal.vsphere.errors import NameTaken, NoPermission, NotFound
from palette_portal.vsphere.folders import find_child_folder, folder_exists, is_empty, start_remove_folder
from palette_portal.vsphere.machines import Disk, VirtualMachine
from palette_portal.vsphere.tagging import remove_unused

KIB_PER_GIB = 1024 * 1024
FOLDER_FUNCTION = "clusters.steps.folders.ensure_own_folder"
TAG_FUNCTION = "clusters.steps.tags.ensure_machine_tagged"
REMOVING_FOLDER = "vCenter is removing the cluster's folder."


def tell_volumes(work: Work, vm: VirtualMachine, disks: Sequence[Disk]) -> Wait | None:
    """Keep a list of them before they are detached: afterwards nothing leads to them any more."""
    cluster = work.cluster
    known = set(_volumes(cluster).values_list("name", flat=True))
    new = [disk for disk in disks if disk.file_name not in known]
    if not new:
        return None

    def write() -> None:
        rows = [_volume_row(cluster, vm, disk) for disk in new]
        Leftover.objects.bulk_create(rows, ignore_conflicts=True)

    notes = tuple(_volume_note(vm, disk) for disk in new)
    return Wait(0, f"Volumes of workloads are detached from {vm.name}.", notes=notes, write=write)


@step
def ensure_own_folder_removed(work: Work) -> Outcome:
    """Only an empty one: what somebody else put into it is not the portal's to remove."""
    if busy := work.open_task(REMOVING_FOLDER):
        return busy
    cluster = work.cluster
    folder_moid = own_folder(work) if _was_begun(work, FOLDER_FUNCTION) else ""
    if not folder_moid:
        return _done("FolderRemoved", f"{cluster.name} has no folder of its own any more.")
    if not is_empty(work.vcenter, folder_moid):
        sentence = f"The folder of {cluster.name} stays: it holds something that the portal did not make."
        return Done(sentence, (Note(Severity.WARNING, "FolderLeft", sentence),))
    work.context.still_mine()
    try:
        busy = work.follow(start_remove_folder(work.vcenter, folder_moid), REMOVING_FOLDER)
    except NameTaken:  # somebody put something into it just now
        busy = None
    return busy or Wait(0, "Looking at the folder again.")


@step
def ensure_unused_tags_removed(work: Work) -> Outcome:
    """Tags that machines of other clusters have stay. A tag too many harms nobody, so it is only told."""
    tags = work.cluster.tags
    if not _was_begun(work, TAG_FUNCTION):
        return _done("TagsRemoved", f"No tag was made for {work.cluster.name}.")
    work.context.still_mine()
    try:
        removed = remove_unused(work.vcenter, tags)
    except (NoPermission, NotFound) as refused:
        sentence = f"Tags of {work.cluster.name} stay in vCenter: {', '.join(tags)}. {refused.sentence}"
        return Done(sentence, (Note(Severity.WARNING, "TagsLeft", sentence),))
    if not removed:
        return _done("TagsRemoved", "Every tag is used by other machines, or gone already.")
    return _done(
        "TagsRemoved", f"Nothing has these tags any more, so they are removed: {', '.join(removed)}."
    )


def _was_begun(work: Work, function: str) -> bool:
    steps = Step.objects.of(work.context.subject).filter(function=function)
    return steps.filter(first_started_at__isnull=False).exists()


def own_folder(work: Work) -> str:
    """Its id while it exists. One whose making was not recorded is found by its name."""
    cluster = work.cluster
    if not cluster.has_own_folder:
        return ""
    if cluster.own_folder_moid:
        return cluster.own_folder_moid if folder_exists(work.vcenter, cluster.own_folder_moid) else ""
    try:
        return find_child_folder(work.vcenter, cluster.folder_moid, cluster.name)
    except NotFound:  # the folder around it is gone, and so is this one
        return ""


def _volumes(cluster: Cluster) -> QuerySet[Leftover]:
    return Leftover.objects.filter(cluster=cluster, kind=LeftoverKind.VOLUME)


def _volume_row(cluster: Cluster, vm: VirtualMachine, disk: Disk) -> Leftover:
    return Leftover(
        cluster=cluster,
        kind=LeftoverKind.VOLUME,
        name=disk.file_name[:255],
        moid=disk.datastore_moid,
        path=f"{disk.capacity_kib // KIB_PER_GIB} GB, was {disk.label} of {vm.name}",
    )


def _volume_note(vm: VirtualMachine, disk: Disk) -> Note:
    size = f"{disk.capacity_kib // KIB_PER_GIB} GB"
    sentence = (
        f"{disk.file_name} ({size}) is a volume of a workload. It is detached from {vm.name} and stays on "
        "its datastore: remove it there when its data is not needed."
    )
    return Note(Severity.WARNING, "VolumeDetached", sentence, "volume", disk.file_name)


def _done(reason: str, message: str) -> Done:
    return Done(message, (Note(Severity.INFO, reason, message),))
