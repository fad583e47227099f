"""Whether a version of a profile can be published: complete, valid, and of parts that go together."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clusters.profiles.models import LayerKind, ProfileType
from clusters.profiles.packs import NoSuchPack, PackVersion, find_pack
from clusters.profiles.render import Layer, image_of
from clusters.profiles.values import check_values, merged_values, unused_variables
from clusters.profiles.variables import Variable

INFRASTRUCTURE_KINDS = (LayerKind.OS, LayerKind.KUBERNETES, LayerKind.NETWORK, LayerKind.STORAGE)
KINDS = {
    ProfileType.FULL: tuple(LayerKind),
    ProfileType.INFRASTRUCTURE: INFRASTRUCTURE_KINDS,
    ProfileType.ADD_ON: (LayerKind.ADD_ON,),
}


@dataclass(frozen=True)
class Finding:
    """`pack` is empty when it is about the profile; `line` is 0 when it is about no line."""

    message: str
    pack: str = ""
    line: int = 0
    is_warning: bool = False


def findings_on(
    profile_type: str, layers: Sequence[Layer], variables: Sequence[Variable] = ()
) -> list[Finding]:
    """Errors first. Only errors stand against publishing."""
    found = [
        *_incomplete(profile_type, layers),
        *_invalid(layers, variables),
        *_incompatible(layers, variables),
        *_unused(layers, variables),
    ]
    return sorted(found, key=lambda finding: finding.is_warning)


def _incomplete(profile_type: str, layers: Sequence[Layer]) -> Iterator[Finding]:
    there = {layer.kind for layer in layers}
    if profile_type == ProfileType.ADD_ON:
        if LayerKind.ADD_ON not in there:
            yield Finding("The profile needs an add-on.")
    else:
        for kind in INFRASTRUCTURE_KINDS:
            if kind not in there:
                yield Finding(f"The layer {kind.label} is missing.")
    for layer in layers:
        if layer.kind not in KINDS[ProfileType(profile_type)]:
            yield Finding("This profile takes no such layer.", pack=layer.pack)


def _invalid(layers: Sequence[Layer], variables: Sequence[Variable]) -> Iterator[Finding]:
    for layer in layers:
        try:
            pack = find_pack(layer.pack, layer.pack_version)
        except NoSuchPack as error:
            yield Finding(str(error), pack=layer.pack)
        else:
            for problem in check_values(pack, layer.values, variables):
                yield Finding(problem.message, pack=layer.pack, line=problem.line)


def _incompatible(layers: Sequence[Layer], variables: Sequence[Variable]) -> Iterator[Finding]:
    """Of layers that are valid by themselves."""
    parts = {
        layer.kind if layer.kind != LayerKind.ADD_ON else layer.pack: part
        for layer in layers
        if (part := _part(layer, variables))
    }
    kubernetes = parts.get(LayerKind.KUBERNETES)
    if kubernetes is None:
        return
    yield from _wrong_networks(*kubernetes)
    if os := parts.get(LayerKind.OS):
        yield from _no_image(*os, kubernetes[0])
    for pack, _ in parts.values():
        yield from _wrong_kubernetes(pack, kubernetes[0])


def _part(layer: Layer, variables: Sequence[Variable]) -> tuple[PackVersion, dict[str, Any]] | None:
    try:
        pack = find_pack(layer.pack, layer.pack_version)
    except NoSuchPack:
        return None
    if check_values(pack, layer.values, variables):
        return None
    return pack, merged_values(pack, layer.values, variables=variables)


def _no_image(os: PackVersion, values: Mapping[str, Any], kubernetes: PackVersion) -> Iterator[Finding]:
    template, _ = image_of(os, values, kubernetes.version)
    if not template:
        known = ", ".join(os.images)
        yield Finding(
            f"There is no image of {os} with {kubernetes}. There are images with Kubernetes {known}; "
            "or name your own template.",
            pack=os.pack,
        )


def _wrong_kubernetes(pack: PackVersion, kubernetes: PackVersion) -> Iterator[Finding]:
    if not pack.kubernetes.takes(kubernetes.version):
        yield Finding(
            f"{pack} is made for Kubernetes {pack.kubernetes}, not {kubernetes.version}.",
            pack=pack.pack,
            # Without a pod network nothing runs; the others' makers only have not tested it.
            is_warning=pack.kind != LayerKind.NETWORK,
        )


def _wrong_networks(kubernetes: PackVersion, values: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        pods, services = (
            ipaddress.ip_network(values["networking"][name]) for name in ("podCidr", "serviceCidr")
        )
    except (ValueError, TypeError):
        return  # a variable without a default
    if pods.overlaps(services):
        yield Finding("The pod network and the service network overlap.", pack=kubernetes.pack)


def _unused(layers: Sequence[Layer], variables: Sequence[Variable]) -> Iterator[Finding]:
    for variable in unused_variables(variables, [layer.values for layer in layers]):
        yield Finding(f"No layer uses the variable {variable.name}.", is_warning=True)
