"""The link with which an invited person sets the first password."""

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from palette_portal.tenants.models import User


def is_pending(user: User) -> bool:
    return not user.has_usable_password()


def link(user: User) -> str:
    """Works once and as long as a password reset link."""
    token = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    return f"{settings.PUBLIC_URL}{reverse('account_reset_password_from_key', kwargs=token)}"


def send(user: User, *, invited_by: User) -> None:
    context = {"user": user, "invited_by": invited_by, "link": link(user)}
    body = render_to_string("tenants/email/invitation.txt", context)
    send_mail("Your account at Palette Portal", body, None, [user.email], fail_silently=True)
