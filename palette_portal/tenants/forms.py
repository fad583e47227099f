from typing import Any
from uuid import UUID

from django import forms

from palette_portal.rendering import ChoiceCards, WithMeta
from palette_portal.tenants.models import EMAIL_TAKEN, PROJECT_NAME_TAKEN, Project, Tenant, User
from palette_portal.tenants.roles import PROJECT_ROLES, TENANT_ROLES, Role

IN_PROJECTS = "in-projects"
NO_ROLE = "none"
TENANT_ROLE_CHOICES = [
    (Role.TENANT_ADMIN.value, WithMeta(Role.TENANT_ADMIN.label, "Everything, in every project")),
    (
        Role.SUPPORT.value,
        WithMeta(Role.SUPPORT.label, "Reads everything, changes nothing"),
    ),
    (IN_PROJECTS, WithMeta("Roles in projects", "Chosen below, for each project")),
]
PROJECT_ROLE_CHOICES = [(NO_ROLE, "No role"), *((role.value, role.label) for role in PROJECT_ROLES)]


class ProjectForm(forms.Form):
    name = forms.CharField(
        max_length=63,
        help_text="Shown in the scope switcher. At most 63 characters.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, tenant: Tenant, project: Project | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **{"initial": {"name": project.name if project else ""}, **kwargs})
        self.others = tenant.projects.exclude(pk=project.pk) if project else tenant.projects.all()

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if self.others.filter(name__iexact=name).exists():
            raise forms.ValidationError(PROJECT_NAME_TAKEN)
        return name


class RolesForm(forms.Form):
    """One choice for the tenant and one select for each project; gives `roles` for the actions."""

    tenant_role = forms.ChoiceField(
        label="Role in the tenant", choices=TENANT_ROLE_CHOICES, widget=ChoiceCards
    )

    def __init__(self, *args: Any, tenant: Tenant, user: User | None = None, **kwargs: Any) -> None:
        held: dict[UUID | None, str] = (
            {membership.project_id: membership.role for membership in user.held_roles} if user else {}
        )
        super().__init__(*args, **{"initial": {"tenant_role": held.get(None, IN_PROJECTS)}, **kwargs})
        self.projects = list(tenant.projects.all())
        for project in self.projects:
            self.fields[f"project_{project.pk}"] = forms.ChoiceField(
                label=project.name,
                choices=PROJECT_ROLE_CHOICES,
                initial=held.get(project.pk, NO_ROLE),
            )

    @property
    def project_fields(self) -> list[forms.BoundField]:
        return [self[f"project_{project.pk}"] for project in self.projects]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.roles(cleaned):
            self.add_error(None, "Choose a role in the tenant or in at least one project.")
        return cleaned

    def roles(self, cleaned: dict[str, Any] | None = None) -> dict[UUID | None, Role]:
        """A role in the whole tenant covers every project, so that roles in projects fall away."""
        cleaned = self.cleaned_data if cleaned is None else cleaned
        if cleaned.get("tenant_role") in TENANT_ROLES:
            return {None: Role(cleaned["tenant_role"])}
        chosen = {project.pk: cleaned.get(f"project_{project.pk}") for project in self.projects}
        return {project: Role(role) for project, role in chosen.items() if role in PROJECT_ROLES}


class InvitationForm(RolesForm):
    full_name = forms.CharField(
        label="Name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        help_text="They sign in with it. The invitation goes there.",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    field_order = ["full_name", "email", "tenant_role"]

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        if User.objects.filter(email__iexact=email).exists():
            raise forms.ValidationError(EMAIL_TAKEN)
        return email


class AuditFilter(forms.Form):
    """What the audit log is narrowed to; it lives in the URL."""

    q = forms.CharField(required=False, max_length=100)
    kind = forms.CharField(required=False, max_length=40)
    before = forms.IntegerField(required=False, min_value=1)
