"""How people get in: by e-mail, invited by a Tenant Admin, never by registering themselves."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.forms import (
    ChangePasswordForm,
    LoginForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
)
from django.db import transaction
from django.http import HttpRequest

from palette_portal.tenants import audit
from palette_portal.tenants.models import Membership, User


class Backend(AuthenticationBackend):  # type: ignore[misc]
    def get_user(self, user_id: Any) -> User | None:
        """Every request needs tenant and roles too: one query for all, a second one for who has no roles."""
        held = list(Membership.objects.filter(user=user_id).order_by().select_related("user__tenant"))
        users = [held[0].user] if held else User.objects.select_related("tenant").filter(pk=user_id)
        user = next(iter(users), None)
        if user is not None:
            user.held_roles = tuple(role for role in held if role.tenant_id == user.own_tenant_id)
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


class PlainLabels:
    """allauth's forms with labels in our spelling, and without placeholders that repeat them."""

    fields: dict[str, Any]
    labels: dict[str, str] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = self.labels.get(name, field.label)


class SignInForm(PlainLabels, LoginForm):  # type: ignore[misc]
    labels = {"login": "E-mail", "remember": "Keep me signed in"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""


class PasswordChangeForm(PlainLabels, ChangePasswordForm):  # type: ignore[misc]
    labels = {
        "oldpassword": "Current password",
        "password1": "New password",
        "password2": "New password again",
    }


class PasswordResetForm(PlainLabels, ResetPasswordForm):  # type: ignore[misc]
    labels = {"email": "E-mail"}


class PasswordSetForm(PlainLabels, ResetPasswordKeyForm):  # type: ignore[misc]
    labels = {"password1": "New password", "password2": "New password again"}
