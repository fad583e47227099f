"""How people get in: by e-mail, invited by a Tenant Admin, never by registering themselves."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.forms import LoginForm
from django.db import transaction
from django.http import HttpRequest

from palette_portal.tenants import audit
from palette_portal.tenants.models import User


class Backend(AuthenticationBackend):  # type: ignore[misc]
    def get_user(self, user_id: Any) -> User | None:
        """Every request needs the tenant too: one query for both."""
        user = User.objects.select_related("tenant").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def set_password(self, user: User, password: str) -> None:
        """Called for a change and for a reset by mail; both are changes by a person."""
        with transaction.atomic():
            super().set_password(user, password)
            if user.tenant:
                audit.record(
                    by=user,
                    action="change-password",
                    obj_kind="user",
                    obj_id=user.pk,
                    obj_name=user.email,
                    tenant=user.tenant,
                )


class SignInForm(LoginForm):  # type: ignore[misc]
    """allauth's form with our words, and without placeholders that repeat the labels."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "E-mail"
        self.fields["password"].help_text = ""
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
        if "remember" in self.fields:
            self.fields["remember"].label = "Keep me signed in"
