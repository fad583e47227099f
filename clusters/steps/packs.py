"""The packs of a running cluster: its control plane applies what has changed."""

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from clusters.documents import cluster_spec
from clusters.models import ClusterLayer, InstructionKind
from clusters.steps.instructions import instruct
from clusters.steps.work import Work, step
from palette_portal.bootstrap.cloud_init import fetch_configuration
from palette_portal.bootstrap.nodes import ClusterSpec, Manifest, ManifestUrl
from palette_portal.orchestration.models import Severity
from palette_portal.orchestration.outcomes import Done, Note, Outcome


@step
def ensure_packs_applied(work: Work) -> Outcome:
    """`manifests` names them; empty means all, in the order of the layers."""
    names = set(work.context.arguments["manifests"])
    spec = cluster_spec(work.cluster)
    wanted = [manifest for manifest in spec.manifests if not names or manifest.name in names]
    outcome = instruct(
        work,
        key="packs",
        kind=InstructionKind.APPLY_MANIFESTS,
        arguments={"manifests": list(_arguments(spec, wanted))},
        message="A control plane node is applying the packs.",
    )
    if outcome is not None:
        return outcome

    def write() -> None:
        ClusterLayer.objects.filter(cluster=work.cluster, applied_at=None).update(applied_at=timezone.now())

    applied = f"The packs of {work.cluster.profile_version or work.cluster} are applied."
    return Done(applied, (Note(Severity.INFO, "PacksApplied", applied),), write)


def _arguments(spec: ClusterSpec, manifests: Iterable[Manifest | ManifestUrl]) -> Iterable[dict[str, Any]]:
    for manifest in manifests:
        if isinstance(manifest, ManifestUrl):
            yield {"name": manifest.name, "fetch": fetch_configuration(spec, manifest.url)}
        else:
            yield {"name": manifest.name, "content": manifest.content}
