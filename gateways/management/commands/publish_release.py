"""Publish a release of gateways. Gateways of an older one show it, and their admins upgrade when it suits."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateways.actions.releases import ReleaseRefused, ReleaseValues, publish_release


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("version", help="such as 1.1.0; higher than every earlier one")
        parser.add_argument("--kubernetes", required=True, metavar="VERSION", help="such as 1.32.3")
        parser.add_argument(
            "--image", required=True, metavar="TEMPLATE", help="template in the folder spectro-templates"
        )
        parser.add_argument("--os-image", default="Ubuntu 22.04", metavar="NAME")
        notes = parser.add_mutually_exclusive_group(required=True)
        notes.add_argument("--notes", metavar="TEXT", help="what changes, for admins")
        notes.add_argument("--notes-file", type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        values = ReleaseValues(
            version=options["version"],
            kubernetes_version=options["kubernetes"],
            image_template=options["image"],
            os_image=options["os_image"],
            notes=options["notes"] or _read(options["notes_file"]),
        )
        try:
            release, gateways = publish_release(values)
        except ReleaseRefused as refused:
            raise CommandError(refused.reason) from refused
        count = len(gateways)
        self.stdout.write(
            f"Release {release} is published. "
            f"{count} gateway{'' if count == 1 else 's'} can be upgraded to it now."
        )


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
