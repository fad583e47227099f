from typing import Any

from django import forms
from django.http import QueryDict

from gateways.models import CloudAccount
from gateways.vcenter_checks import VCenterFacts, VCenterRefused, verify_vcenter
from palette_portal.vsphere.session import Credentials
from palette_portal.vsphere.trust import ServerCertificate

_PLAIN = {"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}


class CredentialsForm(forms.Form):
    """Username and password for the account's vCenter; valid only when vCenter accepts them."""

    username = forms.CharField(label="Username", max_length=255, widget=forms.TextInput(attrs=_PLAIN))
    password = forms.CharField(
        label="Password",
        max_length=255,
        strip=False,
        help_text="Never shown again. Enter it even if only the username or the certificate changed.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    trusted_thumbprint = forms.CharField(required=False, max_length=95, widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None = None, *, account: CloudAccount) -> None:
        super().__init__(data, initial={"username": account.username})
        self.account = account
        self.facts: VCenterFacts | None = None
        self.certificate: ServerCertificate | None = None

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        if not self.errors:
            self._verify(Credentials(self.account.vcenter_server, values["username"], values["password"]))
        return values

    def _verify(self, credentials: Credentials) -> None:
        trusted = self.cleaned_data["trusted_thumbprint"] or self.account.thumbprint_sha256
        try:
            self.facts = verify_vcenter(credentials, trusted_thumbprint=trusted)
        except VCenterRefused as refused:
            self.certificate = refused.certificate
            # There is no server field here: what is wrong with the server concerns the whole form.
            self.add_error(None if refused.field == "server" else refused.field, refused.reason)
