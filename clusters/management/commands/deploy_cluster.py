"""Deploy a cluster as an exported review says: what the deploy wizard's last page offers to repeat."""

import getpass
import json
import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clusters.deploy.checks import check_deployment, sentences
from clusters.deploy.deploying import DeploymentRefused, deploy_draft
from clusters.deploy.drafts import discard_draft
from clusters.deploy.export import ENVIRONMENT
from clusters.deploy.offers import get_offer
from clusters.deploy.repeat import CannotRepeat, draft_from, wanted_secrets
from clusters.deploy.request import request_of
from clusters.deploy.review import Review
from clusters.models import DeployDraft
from palette_portal.http import Conflict
from palette_portal.tenants.models import User
from palette_portal.tenants.permissions import Denied
from palette_portal.vsphere.errors import VSphereError


class Command(BaseCommand):
    help = "Deploy a cluster from a review that the deploy wizard exported as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--file", required=True, help="the exported review; - reads it from standard input"
        )
        parser.add_argument("--as", dest="email", required=True, help="e-mail address of who deploys it")
        parser.add_argument("--name", default="", help="another name for the cluster")
        parser.add_argument("--project", default="", help="another project, by its short name")
        parser.add_argument(
            "--check", action="store_true", help="only check the prerequisites; deploy nothing"
        )

    def handle(self, *_arguments: Any, **options: Any) -> None:
        document, by = _read(options["file"]), _person(options["email"])
        try:
            secrets = {name: _secret(name) for name in wanted_secrets(document)}
            draft = draft_from(
                document, by=by, secrets=secrets, name=options["name"], project=options["project"]
            )
            self._check(draft, by) if options["check"] else self._deploy(draft, by)
        except CannotRepeat as error:
            raise CommandError("\n".join(error.reasons)) from error
        except (Denied, Conflict) as error:
            raise CommandError(error.reason) from error
        except VSphereError as error:
            raise CommandError(f"{error.sentence} {error.hint}".strip()) from error

    def _check(self, draft: DeployDraft, by: User) -> None:
        request = request_of(draft)
        finding = check_deployment(Review(request, get_offer(request.cloud_account)))
        discard_draft(draft=draft, by=by)
        for sentence in sentences(finding):
            self.stdout.write(sentence)
        if not finding.is_possible:
            raise CommandError("It cannot be deployed like this.")

    def _deploy(self, draft: DeployDraft, by: User) -> None:
        try:
            cluster = deploy_draft(draft=draft, by=by)
        except DeploymentRefused as refused:
            discard_draft(draft=draft, by=by)
            raise CommandError(f"{refused.page}: {refused.reason}") from refused
        self.stdout.write(f"{cluster.name} is being deployed: {cluster.pk}")


def _read(name: str) -> dict[str, Any]:
    try:
        document = json.loads(sys.stdin.read() if name == "-" else Path(name).read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{name} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise CommandError(f"{name} is not a review.")
    return document


def _person(email: str) -> User:
    user = User.objects.filter(is_active=True, email__iexact=email).first()
    if user is None:
        raise CommandError(f"Nobody who is active signs in as {email}.")
    return user


def _secret(name: str) -> str:
    """From the environment, else typed without being shown."""
    if given := os.environ.get(ENVIRONMENT + name):
        return given
    if not sys.stdin.isatty():
        raise CommandError(f"The variable {name} is secret: put it into {ENVIRONMENT}{name}.")
    return getpass.getpass(f"Value of {name}: ")
