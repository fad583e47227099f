"""The cluster's tags on its machines in vCenter: a convenience, so a refusal is told and no failure."""

from clusters.steps.work import Work, step
from palette_portal.orchestration.models import Severity
from palette_portal.orchestration.outcomes import Done, Note, Outcome
from palette_portal.vsphere.errors import NoPermission, NotFound
from palette_portal.vsphere.tagging import ensure_tagged


@step
def ensure_machine_tagged(work: Work) -> Outcome:
    """The annotation of each machine names the tags anyway."""
    machine, tags = work.machine, work.cluster.tags
    vm = work.find_vm()
    work.context.still_mine()
    try:
        ensure_tagged(work.vcenter, vm.moid, tags)
    except (NoPermission, NotFound) as refused:
        sentence = (
            f"{machine.name} has its tags in its annotation only. {refused.sentence} "
            "The account needs the privileges to create and assign vSphere tags."
        )
        return Done(sentence, (Note(Severity.WARNING, "TagsNotSet", sentence, "machine", machine.name),))
    listed = f"{machine.name} is tagged in vCenter: {', '.join(tags)}."
    return Done(listed, (Note(Severity.INFO, "MachineTagged", listed, "machine", machine.name),))
