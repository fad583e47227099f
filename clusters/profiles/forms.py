from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from clusters.profiles.actions.rows import NOT_A_VERSION
from clusters.profiles.exchange import LARGEST_FILE
from clusters.profiles.models import ClusterProfile, LayerKind, ProfileType
from clusters.profiles.packs import NoSuchPack, Pack, PackVersion, find_pack, load_catalog
from clusters.profiles.variables import Variable, VariableType
from clusters.profiles.versions import rank_of
from palette_portal.rendering import ChoiceCards, RichSelect, WithMeta
from palette_portal.tenants.models import Project, User
from palette_portal.tenants.permissions import Permission, can

TENANT = "tenant"
_PLAIN = {"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}
_TYPES = [
    (ProfileType.FULL, WithMeta("Full", "Operating system, Kubernetes, network, storage and add-ons.")),
    (ProfileType.INFRASTRUCTURE, WithMeta("Infrastructure", "Without add-ons; others bring those.")),
    (ProfileType.ADD_ON, WithMeta("Add-on", "Only add-ons, for clusters that have an infrastructure.")),
]


def check_version(version: str) -> None:
    if rank_of(version) is None:
        raise ValidationError(NOT_A_VERSION)


class VersionField(forms.CharField):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(
            label="Version",
            max_length=20,
            validators=[check_version],
            widget=forms.TextInput(attrs={**_PLAIN, "class": "mono"}),
            **arguments,
        )


class ScopeForm(forms.Form):
    """For what becomes a profile: where it belongs."""

    scope = forms.ChoiceField(
        label="Scope",
        widget=RichSelect,
        help_text="Every project may use the tenant's profiles; a project's are its own.",
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        files: MultiValueDict[str, Any] | None = None,
        *,
        user: User,
        initial: dict[str, Any],
    ) -> None:
        super().__init__(data, files, initial=initial)
        permission = Permission.MANAGE_CLUSTER_PROFILES
        self.projects = {str(project.pk): project for project in Project.objects.where(user, permission)}
        tenant = [(TENANT, "Tenant")] if can(user, permission) else []
        field = self.fields["scope"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            *tenant,
            *((key, f"Project {project.name}") for key, project in self.projects.items()),
        ]

    @property
    def project(self) -> Project | None:
        return self.projects.get(self.cleaned_data["scope"])


class ProfileForm(ScopeForm):
    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs=_PLAIN))
    version = VersionField(help_text="Three numbers, such as 1.0.0.")
    description = forms.CharField(label="Description", max_length=1000, required=False)
    type = forms.ChoiceField(label="Type", choices=_TYPES, widget=ChoiceCards)
    field_order = ["name", "scope", "version", "description", "type"]


class CloneForm(ScopeForm):
    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs=_PLAIN))
    version = VersionField(help_text="The copy begins with this version, as a draft.")
    field_order = ["name", "scope", "version"]


class EditForm(forms.Form):
    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs=_PLAIN))
    description = forms.CharField(label="Description", max_length=1000, required=False)

    def __init__(self, data: QueryDict | None = None, *, profile: ClusterProfile) -> None:
        super().__init__(data, initial={"name": profile.name, "description": profile.description})


class NewVersionForm(forms.Form):
    version = VersionField(help_text="Greater than all versions there are.")


class ImportForm(ScopeForm):
    name = forms.CharField(
        label="Name",
        max_length=63,
        required=False,
        help_text="If it shall not have the name that stands in the file.",
        widget=forms.TextInput(attrs=_PLAIN),
    )
    file = forms.FileField(label="File", required=False, help_text="YAML that a portal exported.")
    text = forms.CharField(label="Or its text", required=False, strip=False)
    field_order = ["scope", "name", "file", "text"]

    def clean_file(self) -> str:
        file = self.cleaned_data["file"]
        if not file:
            return ""
        if file.size > LARGEST_FILE:
            raise ValidationError(f"The file is larger than {LARGEST_FILE // 1024} KiB.")
        try:
            return str(file.read().decode())
        except UnicodeDecodeError:
            raise ValidationError("This is not a text in UTF-8.") from None

    def clean(self) -> dict[str, Any]:
        if not self.errors and not self.content:
            self.add_error("file", "Choose a file, or put its text below.")
        return self.cleaned_data

    @property
    def content(self) -> str:
        """A file that was chosen goes before the text."""
        found: str = self.cleaned_data.get("file") or self.cleaned_data.get("text", "")
        return found


class LayerForm(forms.Form):
    """Which pack in which version, and its values."""

    choice = forms.ChoiceField(label="Pack", widget=RichSelect)
    values = forms.CharField(label="Values", required=False, strip=False)

    def __init__(
        self, data: QueryDict | None = None, *, kind: str, taken: set[str], initial: dict[str, Any]
    ) -> None:
        super().__init__(data, initial=initial)
        packs = [pack for pack in load_catalog().of_kind(kind) if pack.name not in taken]
        field = self.fields["choice"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(_pack_choices(packs))
        field.help_text = ""
        self.kind = LayerKind(kind)

    @property
    def pack(self) -> PackVersion | None:
        """The chosen one, be the form valid or not."""
        name, _, version = str(self["choice"].value() or "").partition("@")
        try:
            return find_pack(name, version)
        except NoSuchPack:
            return None

    @property
    def typed(self) -> str:
        """With the line ends of a text area made plain."""
        return str(self["values"].value() or "").replace("\r\n", "\n")


def choice_of(pack: str, version: str) -> str:
    return f"{pack}@{version}"


def _pack_choices(packs: list[Pack]) -> Iterator[tuple[str, str]]:
    for pack in packs:
        for version in pack.versions:
            limits = version.kubernetes
            meta = f"Kubernetes {limits}" if limits.minimum else ""
            yield choice_of(pack.name, version.version), WithMeta(str(version), meta)


class VariableForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=63,
        help_text="Layers name it {{.spectro.var.NAME}}.",
        widget=forms.TextInput(attrs={**_PLAIN, "class": "mono"}),
    )
    display_name = forms.CharField(
        label="Display name", max_length=80, required=False, help_text="What the deploy wizard shows."
    )
    type = forms.ChoiceField(
        label="Type", choices=[(kind.value, kind.label) for kind in VariableType], widget=RichSelect
    )
    default = forms.CharField(label="Default", max_length=4096, required=False)
    regex = forms.CharField(
        label="Pattern",
        max_length=256,
        required=False,
        help_text="A regular expression (RE2) that the whole value has to fit.",
        widget=forms.TextInput(attrs={**_PLAIN, "class": "mono"}),
    )
    description = forms.CharField(label="Description", max_length=500, required=False)
    required = forms.BooleanField(label="A value is needed", required=False)
    masked = forms.BooleanField(
        label="Masked: the value is kept encrypted and shown to nobody", required=False
    )

    def __init__(self, data: QueryDict | None = None, *, variable: Variable | None = None) -> None:
        super().__init__(data, initial=variable.as_json() if variable else None)

    def variable(self) -> Variable:
        return Variable.from_json(self.cleaned_data)
