import re
from collections.abc import Mapping
from typing import Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from clusters.deploy.drafts import BASICS, PLACEMENT, page_values
from clusters.deploy.forms.fields import TagsField
from clusters.deploy.forms.wizard_form import WizardForm, check_at_the_field
from clusters.models import Cluster, DeployDraft
from clusters.names import LABEL_LENGTH, label
from palette_portal.rendering import RichSelect
from palette_portal.tenants.models import Project, User
from palette_portal.tenants.permissions import Permission

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


class BasicsForm(WizardForm):
    """What the cluster is called; checked as Kubernetes and vSphere will."""

    page = BASICS

    name = forms.CharField(
        label="Name",
        max_length=LABEL_LENGTH,
        help_text="Lower-case letters, digits and “-”. Machines are named after it. It cannot change later.",
        widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "payments-prod"}),
    )
    description = forms.CharField(
        label="Description", required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2})
    )
    tags = TagsField(
        label="Tags",
        required=False,
        max_length=2000,
        help_text="key or key:value, separated by commas. The virtual machines in vSphere get them too.",
        widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "env:prod, team:payments"}),
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        project: Project | None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=dict(initial or {}))
        self.project = project
        check_at_the_field(self)

    @classmethod
    def open(cls, draft: DeployDraft, data: QueryDict | None = None) -> Self:
        return cls(data, project=draft.project, initial=page_values(draft, BASICS))

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not _NAME.fullmatch(name):
            raise ValidationError(_why_no_name(name))
        return name

    def clean(self) -> dict[str, Any]:
        name, project = self.cleaned_data.get("name"), self.chosen_project
        if name and project and Cluster.objects.present().filter(project=project, name=name).exists():
            self.add_error(
                "name", f"The project {project} has a cluster {name} already. Choose another name."
            )
        return self.cleaned_data

    @property
    def chosen_project(self) -> Project | None:
        return self.project

    def values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("name", "description", "tags")}

    def reopens(self, draft: DeployDraft) -> Mapping[str, str]:
        if page_values(draft, BASICS).get("name") in (None, self.cleaned_data["name"]):
            return {}
        return {PLACEMENT: "The name changed: check that its virtual machines find their names free."}


class StartForm(BasicsForm):
    """The first page of a draft that does not exist yet; outside of a project it asks for one."""

    project_id = forms.ChoiceField(label="Project", widget=RichSelect)

    field_order = ("project_id", "name", "description", "tags")

    def __init__(self, data: QueryDict | None = None, *, project: Project | None, by: User) -> None:
        super().__init__(data, project=project)
        self.projects = [] if project else list(Project.objects.where(by, Permission.DEPLOY_CLUSTERS))
        field = self.fields["project_id"]
        assert isinstance(field, forms.ChoiceField)
        if project is not None:
            del self.fields["project_id"]
            return
        field.choices = [("", "Select…"), *((str(known.pk), known.name) for known in self.projects)]
        field.initial = str(self.projects[0].pk) if len(self.projects) == 1 else ""
        field.error_messages |= {
            "required": "Select a project.",
            "invalid_choice": "Select one of these projects.",
        }

    def typed_values(self) -> dict[str, str]:
        return {name: str(self.data.get(name, "")).strip() for name in ("name", "description", "tags")}

    @property
    def chosen_project(self) -> Project | None:
        if self.project is not None:
            return self.project
        chosen = self.cleaned_data.get("project_id")
        return next((project for project in self.projects if str(project.pk) == chosen), None)


def _why_no_name(name: str) -> str:
    if _NAME.fullmatch(name.lower()):
        return f"Use lower-case letters: {name.lower()}."
    if name != name.lower():
        return f"Use lower-case letters, digits and “-”, such as {label(name)}."
    if name.startswith("-") or name.endswith("-"):
        return "A name begins and ends with a letter or a digit."
    wrong = sorted({letter for letter in name if not re.fullmatch(r"[-a-z0-9]", letter)})
    return f"Only a to z, 0 to 9 and “-” are allowed, not {', '.join(f'“{letter}”' for letter in wrong)}."
