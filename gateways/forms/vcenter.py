from collections.abc import Mapping
from typing import Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from gateways.check_limits import CheckRefused, check_allowed
from gateways.drafts import PLACEMENT, VCENTER, account_of, page_values, password_is_stored_for
from gateways.forms.wizard_form import WizardForm
from gateways.models import ConfigureDraft
from gateways.time_limit import TooManyAtOnce
from gateways.vcenter_checks import VCenterFacts, VCenterRefused, verify_vcenter
from palette_portal.vsphere.endpoint import parse_server
from palette_portal.vsphere.errors import InvalidServer
from palette_portal.vsphere.session import Credentials
from palette_portal.vsphere.trust import ServerCertificate

_PLAIN = {"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}


class KeptPasswordField(forms.CharField):
    """Needed, but an empty one can stand for the stored one: the form decides."""

    def validate(self, value: str) -> None:
        pass


class VCenterForm(WizardForm):
    """Credentials of one vCenter; valid only when vCenter accepts them."""

    page = VCENTER

    server = forms.CharField(
        label="vCenter server",
        max_length=255,
        help_text="Name or IP address as the gateway reaches it, without https://. "
        "It cannot be changed once the gateway is provisioned.",
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
    # Carries the thumbprint that the person compared: another certificate asks again.
    trusted_thumbprint = forms.CharField(required=False, max_length=95)

    def __init__(self, data: QueryDict | None = None, *, draft: ConfigureDraft) -> None:
        super().__init__(data, initial=page_values(draft, VCENTER))
        self.draft = draft
        self.facts: VCenterFacts | None = None
        self.certificate: ServerCertificate | None = None
        self.password_was_refused = False
        self.show_as_stored(draft)

    def show_as_stored(self, draft: ConfigureDraft) -> None:
        if draft.password:
            self.fields["password"].widget.attrs["placeholder"] = "Stored. Leave empty to keep it."

    @classmethod
    def open(cls, draft: ConfigureDraft, data: QueryDict | None = None) -> Self:
        return cls(data, draft=draft)

    @classmethod
    def typed(cls, draft: ConfigureDraft, data: QueryDict) -> dict[str, Any]:
        return {name: data.get(name, "").strip()[:255] for name in ("server", "username")}

    @classmethod
    def typed_columns(cls, draft: ConfigureDraft, data: QueryDict) -> dict[str, Any]:
        """A password stays only with the server and user it was typed for."""
        typed = cls.typed(draft, data)
        password = data.get("password", "")[:255]
        if password or password_is_stored_for(draft, typed["server"], typed["username"]):
            return {"password": password} if password else {}
        return {"password": ""}

    def clean_server(self) -> str:
        try:
            return str(parse_server(self.cleaned_data["server"]))
        except InvalidServer as error:
            raise ValidationError(f"{error.sentence} {error.hint}") from error

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if not values.get("password") and "server" in values and "username" in values:
            values["password"] = self._stored_password()
        if not self.errors:
            self._verify()
        return values

    def _stored_password(self) -> str:
        values = self.cleaned_data
        if password_is_stored_for(self.draft, values["server"], values["username"]):
            return str(self.draft.password)
        stored_for_another = "The stored password belongs to another server or user. Enter it again."
        self.add_error("password", stored_for_another if self.draft.password else "Fill in Password.")
        return ""

    def _verify(self) -> None:
        values = self.cleaned_data
        credentials = Credentials(values["server"], values["username"], values["password"])
        trusted = values["trusted_thumbprint"] or self._trusted_before()
        try:
            check_allowed(by=self.by, server=values["server"])
            self.facts = verify_vcenter(credentials, trusted_thumbprint=trusted)
        except VCenterRefused as refused:
            self.certificate = refused.certificate
            self.password_was_refused = refused.field == "password"
            self.add_error(refused.field, refused.reason)
        except (CheckRefused, TooManyAtOnce) as refused:
            self.add_error(None, refused.reason)

    def _trusted_before(self) -> str:
        """The certificate that was confirmed for this very server on an earlier visit."""
        facts = self.draft.vcenter
        same_server = facts.get("server") == self.cleaned_data["server"]
        return str(facts.get("pinned_thumbprint", "")) if same_server else ""

    def values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("server", "username")}

    def columns(self) -> dict[str, Any]:
        assert self.facts is not None
        facts = {**self.facts.as_json(), "server": self.cleaned_data["server"]}
        return {"password": self.cleaned_data["password"], "vcenter": facts}

    def reopens(self, draft: ConfigureDraft) -> Mapping[str, str]:
        before = page_values(draft, PLACEMENT).get("account")
        if before in (None, account_of(self.values())):
            return {}
        return {
            PLACEMENT: "The vCenter or its user changed. Choices that still exist were kept: look them over."
        }
