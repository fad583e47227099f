"""The image is imported when the folder lacks it: once, whole, and however often workers die meanwhile."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from pyVmomi import vim

from clusters.actions.provision import provision_cluster
from clusters.models import ClusterPurpose, ImageImport
from palette_portal.orchestration.actions import cancel_operation
from palette_portal.orchestration.claims import release_steps_of_the_dead
from palette_portal.orchestration.engine import run_next_step, run_step
from palette_portal.orchestration.models import Operation, OperationState, Step, StepState
from palette_portal.vsphere import nfc
from palette_portal.vsphere.session import sessions
from tests.factories import make_project
from tests.integration.provisioning.stage import TEMPLATE, Stage
from tests.lab.images import ImageServer, image_server, make_ova

IMAGE = "u-2204-k-1312"
KEY = "image-found"


@pytest.fixture
def images(tmp_path: Path) -> Iterator[ImageServer]:
    with image_server(make_ova(tmp_path)) as serving:
        yield serving


def start(stage: Stage, images: ImageServer, **changes: Any) -> Step:
    stage.start(image_template=IMAGE, image_url=images.url, **changes)
    stage.go_on_until(lambda: stage.step(KEY).state == StepState.READY)
    return stage.step(KEY)


def copies(stage: Stage) -> list[dict[str, Any]]:
    """Every machine and template of the image's name, or with the mark of an import."""
    found = stage.vcenter.collect(
        vim.VirtualMachine, "name", "config.template", "config.extraConfig", "snapshot"
    )
    return [values for values in found.values() if values["name"] == IMAGE]


def test_missing_image_is_imported_and_cloned_from(db: None, stage: Stage, images: ImageServer) -> None:
    start(stage, images)

    stage.finish()

    assert stage.operation.state == OperationState.SUCCEEDED
    (template,) = copies(stage)
    assert template["config.template"] and template["snapshot"].currentSnapshot
    (event,) = stage.events("ImageImported")
    assert event.message == f"The image {IMAGE} was imported to spectro-templates."
    assert ImageImport.objects.get().step_id is None
    assert images.requests == 1


def test_image_that_is_there_is_not_imported_again(db: None, stage: Stage, images: ImageServer) -> None:
    start(stage, images)
    stage.go_on_until(lambda: stage.step(KEY).state == StepState.DONE)
    second = second_cluster(stage, images)

    do_image_step(second)

    assert image_step(second).state == StepState.DONE
    assert images.requests == 1


def second_cluster(stage: Stage, images: ImageServer) -> Operation:
    request = stage.request(
        1,
        name="second",
        purpose=ClusterPurpose.TENANT,
        project=make_project(),
        image_template=IMAGE,
        image_url=images.url,
    )
    return provision_cluster(request=request, by=None)[1]


def image_step(operation: Operation) -> Step:
    return operation.steps.get(key=KEY)


def do_image_step(operation: Operation) -> None:
    run_step(operation.steps.get(key="account-valid").pk)
    run_step(image_step(operation).pk)


def test_second_cluster_waits_for_the_import_and_is_rung(db: None, stage: Stage, images: ImageServer) -> None:
    stage.lab.set_durations(reconfigure_seconds=5)
    step = start(stage, images)
    run_step(step.pk)  # uploaded; vCenter is marking it whole
    second = second_cluster(stage, images)

    do_image_step(second)

    waiting = image_step(second)
    assert (waiting.state, waiting.reason) == (StepState.WAITING, "WaitingForImage")
    assert waiting.message.startswith(f"{stage.cluster.name} imports {IMAGE}")
    stage.lab.wait_for_tasks()
    stage.lab.set_durations(reconfigure_seconds=0)
    before = waiting.due_at
    stage.go_on_until(lambda: stage.step(KEY).state == StepState.DONE)
    assert image_step(second).due_at < before
    run_step(waiting.pk)
    assert image_step(second).state == StepState.DONE
    assert images.requests == 1 and len(copies(stage)) == 1


def test_import_of_a_cluster_that_was_stopped_is_taken_over(
    db: None, stage: Stage, images: ImageServer
) -> None:
    stage.lab.set_durations(reconfigure_seconds=5)
    run_step(start(stage, images).pk)
    cancel_operation(stage.operation, by=None)
    second = second_cluster(stage, images)
    stage.lab.wait_for_tasks()
    stage.lab.set_durations(reconfigure_seconds=0)

    do_image_step(second)

    stage.operation = second
    stage.go_on_until(lambda: image_step(second).state == StepState.DONE)
    assert images.requests == 1 and len(copies(stage)) == 1


def upload_until_killed() -> None:
    while run_next_step():
        pass


@pytest.mark.django_db(transaction=True)
def test_killed_upload_leaves_nothing_and_is_done_again(stage: Stage, images: ImageServer) -> None:
    images.stall()
    start(stage, images)
    connections.close_all()
    sessions.close_all()
    worker = multiprocessing.get_context("fork").Process(target=upload_until_killed)
    worker.start()
    assert images.stalled.wait(20)
    stage.wait_until(lambda: len(copies(stage)) == 1)
    worker.kill()
    worker.join()
    release_steps_of_the_dead()
    (half,) = copies(stage)
    images.goes_on.set()

    stage.finish()

    assert stage.operation.state == OperationState.SUCCEEDED
    (template,) = copies(stage)
    assert not half["config.template"] and template["config.template"]
    assert images.requests == 2


def test_stopped_operation_ends_its_upload(
    db: None, stage: Stage, images: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nfc, "TELL_SECONDS", -1.0)
    complete = nfc.Lease.upload

    def cancel_first(self: nfc.Lease, *arguments: Any, **named: Any) -> None:
        cancel_operation(stage.operation, by=None)
        complete(self, *arguments, **named)

    monkeypatch.setattr(nfc.Lease, "upload", cancel_first)

    run_step(start(stage, images).pk)

    assert stage.step(KEY).state == StepState.CANCELLED
    stage.lab.wait_for_tasks()
    assert copies(stage) == []
    assert not ImageImport.objects.exclude(step_id=None).exists()


def test_progress_of_an_upload_is_shown(
    db: None, stage: Stage, images: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nfc, "TELL_SECONDS", -1.0)
    seen: list[tuple[int | None, str]] = []
    complete = nfc.Lease.complete

    def look_first(self: nfc.Lease) -> None:
        step = stage.step(KEY)
        seen.append((step.progress, step.message))
        complete(self)

    monkeypatch.setattr(nfc.Lease, "complete", look_first)

    run_step(start(stage, images).pk)

    assert seen == [(99, f"Uploading {IMAGE}: 99 %.")]


def failed(stage: Stage, images: ImageServer) -> Step:
    run_step(start(stage, images).pk)
    step = stage.step(KEY)
    assert step.state == StepState.RETRYING, stage.describe()
    stage.lab.wait_for_tasks()
    assert copies(stage) == []
    return step


def goes_on(stage: Stage) -> None:
    stage.heal()
    stage.go_on_until(lambda: stage.step(KEY).state == StepState.DONE)
    assert len(copies(stage)) == 1


def test_damaged_disk_is_refused_by_the_manifest(db: None, stage: Stage, images: ImageServer) -> None:
    whole = images.content
    images.content = whole.replace(b"KDMV", b"XDMV", 1)

    step = failed(stage, images)

    assert step.reason == "ImageUnusable"
    assert "is damaged: its SHA256 is not the manifest's" in step.message
    images.content = whole
    goes_on(stage)


def test_download_that_breaks_off_is_tried_again(db: None, stage: Stage, images: ImageServer) -> None:
    images.sends = len(images.content) - 30_000

    step = failed(stage, images)

    assert step.reason == "DownloadFailed" and "127.0.0.1" in step.message
    images.sends = None
    goes_on(stage)


def test_address_without_an_image_is_named(db: None, stage: Stage, images: ImageServer) -> None:
    images.status = 404

    step = failed(stage, images)

    assert step.reason == "DownloadFailed"
    assert f"(HTTP 404): {images.url}" in step.message and "proxy" in step.hint


def test_address_without_an_archive_is_refused(db: None, stage: Stage, images: ImageServer) -> None:
    images.content = b"<html>Sign in first</html>" * 100

    assert "not an OVA" in failed(stage, images).message


def test_denied_network_is_not_fetched_from(
    db: None, stage: Stage, images: ImageServer, settings: Any
) -> None:
    settings.VSPHERE_DENIED_NETWORKS = ["127.0.0.0/8"]
    start(stage, images)

    run_step(stage.step(KEY).pk)

    assert "The portal fetches nothing from there" in stage.step(KEY).message
    assert images.requests == 0


def test_missing_right_is_named(db: None, stage: Stage, images: ImageServer) -> None:
    pool = stage.placement.resource_pool_moid
    stage.lab.deny("ImportVApp", "VApp.Import", pool, "ResourcePool")

    step = failed(stage, images)

    assert step.reason == "NoPermission" and "VApp.Import" in step.message
    goes_on(stage)


def test_full_datastore_is_named(db: None, stage: Stage, images: ImageServer) -> None:
    stage.lab.fail("ImportVApp", "NoDiskSpace", datastore="shared-nfs-1")

    step = failed(stage, images)

    assert step.reason == "DatastoreFull" and "shared-nfs-1" in step.message
    goes_on(stage)


def test_uploads_wait_while_enough_others_run(
    db: None, stage: Stage, images: ImageServer, settings: Any
) -> None:
    settings.IMAGE_UPLOADS_AT_ONCE = 0

    run_step(start(stage, images).pk)

    step = stage.step(KEY)
    assert (step.state, step.reason) == (StepState.WAITING, "WaitingForUploads")
    settings.IMAGE_UPLOADS_AT_ONCE = 1
    goes_on(stage)


def test_machine_of_somebody_else_with_the_images_name_is_left_alone(
    db: None, stage: Stage, images: ImageServer
) -> None:
    stage.vcenter.wait(stage.vcenter.clone(TEMPLATE, IMAGE, folder="spectro-templates"))

    run_step(start(stage, images).pk)

    assert stage.step(KEY).reason == "NameTaken"
    (theirs,) = copies(stage)
    assert not theirs["config.template"]
