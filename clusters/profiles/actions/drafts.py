"""Layers and variables of a draft. Nothing is saved that is wrong in some line."""

import hashlib
from collections.abc import Sequence

from django.db import IntegrityError, transaction

from clusters.profiles.actions.rows import lock_draft, put_layers, variables_of, write_audit
from clusters.profiles.checks import KINDS
from clusters.profiles.models import LayerKind, ProfileLayer, ProfileType, ProfileVersion
from clusters.profiles.packs import NoSuchPack, PackVersion, find_pack
from clusters.profiles.render import PlainLayer
from clusters.profiles.values import check_values, variables_used
from clusters.profiles.variables import Variable, check_definition
from clusters.profiles.yaml_text import Problem
from palette_portal.http import Conflict
from palette_portal.tenants.models import User


class WrongValues(Exception):
    """The problems by line; nothing was saved."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = list(problems)


class WrongVariable(Exception):
    """By field: what is wrong; nothing was saved."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors


@transaction.atomic
def add_layer(*, version: ProfileVersion, pack: str, pack_version: str, values: str, by: User) -> None:
    """Raise Conflict, WrongValues."""
    draft = lock_draft(version)
    found = _checked(draft, pack, pack_version, values)
    layers: list[ProfileLayer | PlainLayer] = list(draft.layers.all())
    if any(layer.kind == found.kind and found.kind != LayerKind.ADD_ON for layer in layers):
        raise Conflict(f"The profile has a layer {LayerKind(found.kind).label}. Change that one.")
    if any(layer.pack == pack for layer in layers):
        raise Conflict(f"{found.title} is a layer of the profile already.")
    draft.layers.all().delete()
    put_layers(draft, [*layers, PlainLayer(found.kind, pack, pack_version, values)])
    _changed(draft, "add-layer", by, layer=str(found))


@transaction.atomic
def change_layer(
    *, layer: ProfileLayer, pack: str, pack_version: str, values: str, seen: str = "", by: User
) -> None:
    """Another version, another pack of the same kind, other values. Raise Conflict, WrongValues.

    `seen` is the mark of the layer as the person saw it: nobody's change is overwritten unseen.
    """
    draft = lock_draft(layer.version)
    now = draft.layers.filter(pk=layer.pk).first()
    if now is None:
        raise Conflict("Somebody removed this layer in the meantime.")
    if seen and seen != mark_of(now):
        raise Conflict(
            "Somebody changed this layer in the meantime. Keep a copy of your text and open it anew."
        )
    found = _checked(draft, pack, pack_version, values)
    if found.kind != layer.kind:
        raise Conflict(f"{found.title} is not for the layer {layer.get_kind_display()}.")
    try:
        with transaction.atomic():
            draft.layers.filter(pk=layer.pk).update(pack=pack, pack_version=pack_version, values=values)
    except IntegrityError:
        raise Conflict(f"{found.title} is a layer of the profile already.") from None
    _changed(draft, "change-layer", by, layer=str(found), before=str(layer))


def mark_of(layer: ProfileLayer) -> str:
    text = f"{layer.pack}\n{layer.pack_version}\n{layer.values}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@transaction.atomic
def remove_layer(*, layer: ProfileLayer, by: User) -> None:
    draft = lock_draft(layer.version)
    draft.layers.filter(pk=layer.pk).delete()
    _changed(draft, "remove-layer", by, layer=str(layer))


@transaction.atomic
def set_variable(*, version: ProfileVersion, variable: Variable, instead_of: str = "", by: User) -> None:
    """Add one, or put it in the place of another. Raise Conflict, WrongVariable."""
    draft = lock_draft(version)
    variables = list(variables_of(draft))
    others = [found.name for found in variables if found.name != instead_of]
    if errors := check_definition(variable, others=others):
        raise WrongVariable(errors)
    if instead_of and instead_of not in {found.name for found in variables}:
        raise Conflict("Somebody removed this variable in the meantime.")
    if instead_of and instead_of != variable.name:
        _refuse_use(draft, instead_of)
    if instead_of:
        variables = [variable if found.name == instead_of else found for found in variables]
    else:
        variables.append(variable)
    _check_layers(draft, variables)
    draft.variables = [found.as_json() for found in variables]
    _changed(draft, "change-variable" if instead_of else "add-variable", by, variable=variable.name)


@transaction.atomic
def remove_variable(*, version: ProfileVersion, name: str, by: User) -> None:
    """Raise Conflict while a layer uses it."""
    draft = lock_draft(version)
    _refuse_use(draft, name)
    draft.variables = [row for row in draft.variables if row["name"] != name]
    _changed(draft, "remove-variable", by, variable=name)


def _checked(draft: ProfileVersion, pack: str, pack_version: str, values: str) -> PackVersion:
    try:
        found = find_pack(pack, pack_version)
    except NoSuchPack as error:
        raise Conflict(str(error)) from None
    if found.kind not in KINDS[ProfileType(draft.profile.type)]:
        raise Conflict(f"{draft.profile.get_type_display()} profiles take no such layer: {found.title}.")
    if problems := check_values(found, values, variables_of(draft)):
        raise WrongValues(problems)
    return found


def _check_layers(draft: ProfileVersion, variables: Sequence[Variable]) -> None:
    """A variable of another type or default may not fit where it stands."""
    for layer in draft.layers.all():
        pack = find_pack(layer.pack, layer.pack_version)
        if problems := check_values(pack, layer.values, variables):
            first = problems[0]
            raise Conflict(f"This does not fit {pack}, line {first.line}: {first.message}")


def _refuse_use(draft: ProfileVersion, name: str) -> None:
    using = [layer.pack for layer in draft.layers.all() if name in variables_used(layer.values)]
    if using:
        raise Conflict(f"The variable {name} is used in {', '.join(using)}. Change the values there first.")


def _changed(draft: ProfileVersion, action: str, by: User, **detail: str) -> None:
    draft.save(update_fields=["variables", "updated_at"])
    write_audit(draft.profile, action, by, version=draft.version, **detail)
