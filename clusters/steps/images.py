"""The image that machines are cloned from: found, or imported once per vCenter folder while others wait.

Uploading is the one step body that takes minutes: the worker's heartbeat keeps its lease. A worker that dies
leaves a machine that is not marked whole; the next attempt finds it by its UUID, removes it and starts anew.
"""

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from clusters.models import Cluster, ImageImport, Machine, PoolRole
from clusters.steps.work import SAFETY_SECONDS, Work, step
from gateways.installer.rules import decode_certificate
from palette_portal.orchestration.actions import note_progress, ring
from palette_portal.orchestration.models import Operation, OperationState, Severity, Step, StepState
from palette_portal.orchestration.outcomes import Done, Note, Outcome, Wait
from palette_portal.vsphere.download import Route, open_image
from palette_portal.vsphere.errors import Cancelled, NameTaken, NotFound, TemplateNotFound, VSphereError
from palette_portal.vsphere.images import (
    ImageSpec,
    find_image_folder,
    has_snapshot,
    is_whole,
    mark_as_template,
    start_marking_whole,
    start_snapshot,
    upload_image,
)
from palette_portal.vsphere.machines import (
    VirtualMachine,
    find_by_instance_uuid,
    find_in_folder,
    find_template,
    start_destroy,
)

IMAGE_MARK = "palette.image"
REMOVING = "vCenter is removing an image that an earlier attempt left half uploaded."
FINISHING = "vCenter is finishing the image."


@step
def ensure_image_template_found(work: Work) -> Outcome:
    cluster, name = work.cluster, _template_name(work)
    try:
        find_template(work.vcenter, cluster.datacenter_moid, cluster.image_folder, name)
    except TemplateNotFound:
        if not cluster.image_url:
            raise
        return _import(work, name)
    return _done(work, "ImageTemplateFound", f"The template {name} is there.")


def _template_name(work: Work) -> str:
    """Of the machines that the operation makes: while nodes are replaced they are of a newer version."""
    if ids := work.context.arguments.get("machines"):
        return Machine.objects.filter(pk__in=ids).values_list("image_template", flat=True)[0]
    return work.cluster.image_template


def _import(work: Work, name: str) -> Outcome:
    row = _row(work, name)
    if busy := _take(work, row):
        return busy
    try:
        return _import_mine(work, row)
    except VSphereError:
        with transaction.atomic():
            work.context.still_mine()
            _let_go(work)
        raise


def _import_mine(work: Work, row: ImageImport) -> Outcome:
    if busy := work.open_task(FINISHING):
        return busy
    vm = find_by_instance_uuid(work.vcenter, str(row.id))
    if vm is None:
        return _uploaded(work, row)
    if not is_whole(vm):
        work.context.still_mine()
        return work.follow(start_destroy(work.vcenter, vm), REMOVING) or _again()
    return _finished(work, row, vm)


def _row(work: Work, name: str) -> ImageImport:
    cluster = work.cluster
    row, _ = ImageImport.objects.get_or_create(
        vcenter_server=work.account.vcenter_server,
        datacenter_moid=cluster.datacenter_moid,
        folder=cluster.image_folder,
        template=name,
    )
    return row


@transaction.atomic
def _take(work: Work, row: ImageImport) -> Wait | None:
    """The row's lock decides who imports; who comes later waits for the end of that."""
    work.context.still_mine()
    fresh = ImageImport.objects.select_for_update().get(pk=row.pk)
    holder = None if fresh.step_id == work.context.step_id else _holder(fresh)
    if holder is None:
        ImageImport.objects.filter(pk=row.pk).update(step_id=work.context.step_id, uploads=False)
        return None
    message = f"{holder.operation.subject_name} imports {row.template}; this goes on when it is there."
    reference = row.wake_reference
    is_new = work.context.external_ref != reference
    notes = (Note(Severity.INFO, "WaitingForImage", message),) if is_new else ()
    return Wait(SAFETY_SECONDS, message, "WaitingForImage", external_ref=reference, notes=notes)


def _holder(row: ImageImport) -> Step | None:
    """The step that imports, unless it ended or its operation did."""
    if row.step_id is None:
        return None
    rows = Step.objects.open().filter(pk=row.step_id).select_related("operation")
    return rows.filter(Q(operation__state=OperationState.RUNNING) | Q(state=StepState.RUNNING)).first()


def _let_go(work: Work) -> None:
    """Others that wait for the image look again."""
    mine = ImageImport.objects.filter(step_id=work.context.step_id)
    for row in mine:
        mine.filter(pk=row.pk).update(step_id=None, uploads=False)
        ring(row.wake_reference)


def _uploaded(work: Work, row: ImageImport) -> Outcome:
    if busy := _begin_upload(row):
        return busy
    work.context.still_mine()
    try:
        has_manifest = _upload(work, row)
    except BaseException:
        _remove_half(work, row)
        raise
    vm = find_by_instance_uuid(work.vcenter, str(row.id))
    if vm is None:
        raise NotFound(f"The image {row.template} was uploaded, and vCenter does not have it.")
    work.context.still_mine()
    busy = work.follow(start_marking_whole(work.vcenter, vm.moid), FINISHING)
    return busy if has_manifest else _with_warning(busy, row)


@transaction.atomic
def _begin_upload(row: ImageImport) -> Wait | None:
    """Each upload keeps a worker, so only some run at once."""
    locked = ImageImport.objects.select_for_update().filter(uploads=True).exclude(pk=row.pk)
    running = [other for other in locked if _holder(other)]
    if len(running) >= settings.IMAGE_UPLOADS_AT_ONCE:
        names = ", ".join(other.template for other in running)
        return Wait(SAFETY_SECONDS, f"Other images are being uploaded first: {names}.", "WaitingForUploads")
    ImageImport.objects.filter(pk=row.pk).update(uploads=True)
    return None


def _upload(work: Work, row: ImageImport) -> bool:
    spec = _image_spec(work, row)
    _check_name_free(work, spec)

    def tell(percent: int) -> None:
        _check_wanted(work, row)
        work.context.show_progress(percent, f"Uploading {row.template}: {percent} %.")
        note_progress(row.wake_reference, percent)

    work.context.show_progress(0, f"Uploading {row.template} from {work.cluster.image_url}.")
    with open_image(work.cluster.image_url, _route(work.cluster)) as source:
        return upload_image(work.vcenter, source, spec, tell=tell)


def _check_name_free(work: Work, spec: ImageSpec) -> None:
    """Before minutes of upload."""
    if find_in_folder(work.vcenter, spec.folder_moid, spec.name):
        raise NameTaken(
            f"The image folder holds a virtual machine “{spec.name}” that is no template.",
            "Convert it to a template in vCenter if it is the image, or rename it.",
        )


def _check_wanted(work: Work, row: ImageImport) -> None:
    running = Operation.objects.filter(pk=work.context.operation_id, state=OperationState.RUNNING)
    if not running.exists():
        raise Cancelled(f"The import of {row.template} was stopped.")


def _image_spec(work: Work, row: ImageImport) -> ImageSpec:
    cluster = work.cluster
    place = cluster.machine_pools.get(role=PoolRole.CONTROL_PLANE).placements.all()[0]
    return ImageSpec(
        name=row.template,
        instance_uuid=str(row.id),
        folder_moid=find_image_folder(work.vcenter, cluster.datacenter_moid, row.folder),
        resource_pool_moid=place.resource_pool_moid,
        datastore_moid=place.datastore_moid,
        network_moid=place.network_moid,
        annotation=f"Image for Kubernetes nodes, imported by Palette Portal from {cluster.image_url}.",
        marks={IMAGE_MARK: str(row.id)},
    )


def _route(cluster: Cluster) -> Route:
    gateway = cluster.gateway
    certificate = gateway.proxy_certificate
    return Route(
        http_proxy=gateway.http_proxy,
        https_proxy=gateway.https_proxy,
        no_proxy=gateway.no_proxy,
        ca_pem=decode_certificate(certificate) if certificate else "",
        denied_networks=settings.VSPHERE_DENIED_NETWORKS,
    )


def _remove_half(work: Work, row: ImageImport) -> None:
    """vCenter does it when a lease is aborted; where it did not, the next attempt would."""
    try:
        vm = find_by_instance_uuid(work.vcenter, str(row.id))
        if vm is not None and not is_whole(vm):
            start_destroy(work.vcenter, vm)
    except VSphereError:
        return


def _finished(work: Work, row: ImageImport, vm: VirtualMachine) -> Outcome:
    if vm.is_template:
        raise NotFound(
            f"The template {row.template} was imported, and somebody gave it another name or folder: "
            f"it is “{vm.name}” now.",
            f"Rename it to {row.template} and move it to the folder {row.folder}, or remove it.",
        )
    if not has_snapshot(work.vcenter, vm.moid):
        work.context.still_mine()
        return work.follow(start_snapshot(work.vcenter, vm.moid), FINISHING)
    work.context.still_mine()
    mark_as_template(work.vcenter, vm.moid)
    return _done(work, "ImageImported", f"The image {row.template} was imported to {row.folder}.")


def _again() -> Wait:
    return Wait(0, "vCenter has done it. Looking at the image again.")


def _with_warning(busy: Wait, row: ImageImport) -> Wait:
    sentence = f"The image {row.template} has no manifest, so damage on the way could not be noticed."
    return Wait(
        busy.seconds,
        busy.message,
        external_ref=busy.external_ref,
        notes=(Note(Severity.WARNING, "ImageUnverified", sentence),),
    )


def _done(work: Work, reason: str, message: str) -> Done:
    return Done(message, (Note(Severity.INFO, reason, message),), lambda: _let_go(work))
