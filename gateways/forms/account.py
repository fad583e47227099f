from collections.abc import Iterable
from typing import Any

from cryptography import x509
from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from gateways.actions.accounts import NAME_TAKEN, AccountValues, is_moored
from gateways.check_limits import CheckRefused, check_allowed
from gateways.forms.vcenter import KeptPasswordField
from gateways.models import Availability, CloudAccount, LoginState, PrivateCloudGateway
from gateways.states import GatewayState
from gateways.time_limit import TooManyAtOnce
from gateways.vcenter_checks import VCenterFacts, VCenterRefused, verify_vcenter
from palette_portal.rendering import ChoiceCards, RichSelect, WithMeta
from palette_portal.tenants.models import Project, User
from palette_portal.tenants.permissions import Permission, can
from palette_portal.vsphere.endpoint import parse_server
from palette_portal.vsphere.errors import InvalidServer
from palette_portal.vsphere.session import Credentials
from palette_portal.vsphere.trust import ServerCertificate

TENANT = "tenant"
_PLAIN = {"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}
_PEM = {**_PLAIN, "rows": 4, "class": "mono", "placeholder": "-----BEGIN CERTIFICATE-----"}
_AVAILABILITY = [
    (Availability.ALL, WithMeta("All projects", "Those that are made later, too.")),
    (Availability.CHOSEN, WithMeta("Chosen projects", "Only those that you name.")),
    (Availability.NONE, WithMeta("No project", "For the gateway alone. Clusters that use it go on.")),
]


class ChosenProjectsField(forms.MultipleChoiceField):
    """Needed where projects are chosen: the form decides."""

    def validate(self, value: list[str]) -> None:
        if value:
            super().validate(value)


class AccountForm(forms.Form):
    """A cloud account; valid only when vCenter accepts its login."""

    scope = forms.ChoiceField(
        label="Scope",
        widget=RichSelect,
        help_text="The tenant's accounts can serve all projects, a project's only its own clusters.",
    )
    name = forms.CharField(
        label="Account Name", max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    description = forms.CharField(label="Description", max_length=1000, required=False)
    gateway = forms.ChoiceField(
        label="Private cloud gateway",
        widget=RichSelect,
        help_text="A running gateway that reaches the vCenter, or the portal itself.",
    )
    server = forms.CharField(
        label="vCenter Server",
        max_length=255,
        help_text="Name or IP address as the gateway reaches it, without https://.",
        widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "vcenter.example.com"}),
    )
    username = forms.CharField(
        label="Username",
        max_length=255,
        widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "palette@vsphere.local"}),
    )
    password = KeptPasswordField(
        label="Password",
        max_length=255,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    ca_pem = forms.CharField(
        label="CA certificate",
        max_length=100_000,
        required=False,
        help_text="PEM, of the authority that issued vCenter's certificate. Leave it empty if the system "
        "knows that authority, or to compare and trust the certificate's thumbprint.",
        widget=forms.Textarea(attrs=_PEM),
    )
    # Carries the thumbprint that the person compared: another certificate asks again.
    trusted_thumbprint = forms.CharField(required=False, max_length=95)
    availability = forms.ChoiceField(
        label="Available to projects",
        choices=_AVAILABILITY,
        initial=Availability.ALL,
        widget=ChoiceCards,
    )
    projects = ChosenProjectsField(label="Projects", widget=forms.CheckboxSelectMultiple)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        user: User,
        account: CloudAccount | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=_typed(account) if account else initial)
        self.account = account
        self.user = user
        self.facts: VCenterFacts | None = None
        self.certificate: ServerCertificate | None = None
        self.own_projects = {
            str(project.pk): project
            for project in Project.objects.where(user, Permission.MANAGE_CLOUD_ACCOUNTS)
        }
        self.gateways = {str(gateway.pk): gateway for gateway in self._offered_gateways()}
        self._offer_scopes()
        self._offer_projects()
        self._choices("gateway").choices = [(key, _offer(gateway)) for key, gateway in self.gateways.items()]
        if account:
            self._show_what_stays(account)

    def _offered_gateways(self) -> Iterable[PrivateCloudGateway]:
        of_tenant = PrivateCloudGateway.objects.filter(tenant_id=self.user.own_tenant_id)
        running = of_tenant.filter(state=GatewayState.RUNNING)
        own = of_tenant.filter(pk=self.account.gateway_id) if self.account else of_tenant.none()
        return (running | own).order_by("is_system", "name")

    def _choices(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        return field

    def _offer_scopes(self) -> None:
        if self.account:
            del self.fields["scope"]
            return
        tenant = [(TENANT, "Tenant")] if can(self.user, Permission.MANAGE_CLOUD_ACCOUNTS) else []
        projects = [(key, f"Project {project.name}") for key, project in self.own_projects.items()]
        self._choices("scope").choices = [*tenant, *projects]

    def _offer_projects(self) -> None:
        of_project = self.account is not None and self.account.project_id is not None
        if of_project or not can(self.user, Permission.MANAGE_CLOUD_ACCOUNTS):
            del self.fields["availability"], self.fields["projects"]
            return
        self._choices("projects").choices = [
            (key, project.name) for key, project in self.own_projects.items()
        ]

    def _show_what_stays(self, account: CloudAccount) -> None:
        if account.password:
            self.fields["password"].widget.attrs["placeholder"] = "Stored. Leave empty to keep it."
        for name in ("gateway", "server") if is_moored(account) else ():
            self.fields[name].disabled = True
            self.fields[name].help_text = "It stays while clusters or a gateway use the account."

    @property
    def project(self) -> Project | None:
        """The account's scope: None is the tenant."""
        if self.account:
            return self.account.project
        return self.own_projects.get(self.cleaned_data["scope"])

    def clean_server(self) -> str:
        try:
            return str(parse_server(self.cleaned_data["server"]))
        except InvalidServer as error:
            raise ValidationError(f"{error.sentence} {error.hint}") from error

    def clean_ca_pem(self) -> str:
        pem = self.cleaned_data["ca_pem"]
        try:
            return pem if not pem or x509.load_pem_x509_certificates(pem.encode()) else ""
        except ValueError as error:
            raise ValidationError("This is no certificate in PEM form.") from error

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if not values.get("password") and "server" in values and "username" in values:
            values["password"] = self._stored_password()
        self._check_name()
        self._check_projects()
        if not self.errors and self._needs_verification():
            self._verify()
        self._keep_typed_password()
        return values

    def _stored_password(self) -> str:
        if self.account is None or not self.account.password:
            self.add_error("password", "Fill in Password.")
        elif not self._is_same_login():
            self.add_error(
                "password", "The stored password belongs to another server or user. Enter it again."
            )
        else:
            return str(self.account.password)
        return ""

    def _is_same_login(self) -> bool:
        assert self.account is not None
        typed = (self.cleaned_data["server"], self.cleaned_data["username"])
        return typed == (self.account.vcenter_server, self.account.username)

    def _check_name(self) -> None:
        if "name" not in self.cleaned_data or (not self.account and "scope" not in self.cleaned_data):
            return
        same = CloudAccount.objects.filter(
            tenant_id=self.user.own_tenant_id, project=self.project, name=self.cleaned_data["name"]
        )
        others = same.exclude(pk=self.account.pk) if self.account else same
        if others.exists():
            self.add_error("name", NAME_TAKEN)

    def _check_projects(self) -> None:
        values = self.cleaned_data
        is_tenants = (values.get("scope") == TENANT) if not self.account else "projects" in self.fields
        if is_tenants and values.get("availability") == Availability.CHOSEN and not values.get("projects"):
            self.add_error("projects", "Choose at least one project.")

    def _needs_verification(self) -> bool:
        """A description can be changed while vCenter is down; a login that is not known to work cannot."""
        account, values = self.account, self.cleaned_data
        if account is None or account.state != LoginState.VERIFIED or not self._is_same_login():
            return True
        typed = (values["password"], values["ca_pem"], values["trusted_thumbprint"])
        return typed not in (
            (account.password, account.ca_pem, ""),
            (account.password, account.ca_pem, account.thumbprint_sha256),
        )

    def _verify(self) -> None:
        values = self.cleaned_data
        credentials = Credentials(
            values["server"], values["username"], values["password"], ca_pem=values["ca_pem"]
        )
        trusted = values["trusted_thumbprint"] or self._trusted_before()
        try:
            check_allowed(by=self.user, server=values["server"])
            self.facts = verify_vcenter(credentials, trusted_thumbprint=trusted)
        except VCenterRefused as refused:
            self.certificate = refused.certificate
            self.add_error(refused.field, refused.reason)
        except (CheckRefused, TooManyAtOnce) as refused:
            self.add_error(None, refused.reason)

    def _trusted_before(self) -> str:
        same_server = self.account and self.account.vcenter_server == self.cleaned_data["server"]
        return self.account.thumbprint_sha256 if self.account and same_server else ""

    def _keep_typed_password(self) -> None:
        """It is never sent back: the browser keeps its own field while another answer is asked for."""
        if self.errors and "password" not in self.errors:
            self.fields["password"].widget.attrs["hx-preserve"] = "true"

    def values(self) -> AccountValues:
        typed = self.cleaned_data
        return AccountValues(
            project=self.project,
            gateway=self.gateways[str(typed["gateway"])],
            name=typed["name"],
            description=typed["description"],
            vcenter_server=typed["server"],
            username=typed["username"],
            password=typed["password"],
            ca_pem=typed["ca_pem"],
            availability=Availability(typed.get("availability", Availability.ALL)),
            projects=tuple(self.own_projects[key] for key in typed.get("projects", ())),
        )


def _offer(gateway: PrivateCloudGateway) -> WithMeta:
    if gateway.is_system:
        return WithMeta("Use System Gateway", "The portal reaches the vCenter directly.")
    return WithMeta(gateway.display_name, gateway.vcenter_server)


def _typed(account: CloudAccount) -> dict[str, Any]:
    return {
        "name": account.name,
        "description": account.description,
        "gateway": str(account.gateway_id),
        "server": account.vcenter_server,
        "username": account.username,
        "ca_pem": account.ca_pem,
        "availability": account.availability,
        "projects": [str(key) for key in account.projects.values_list("pk", flat=True)],
    }
