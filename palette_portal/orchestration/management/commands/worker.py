from django.core.management.base import BaseCommand

from palette_portal.orchestration.worker import WorkerTree


class Command(BaseCommand):
    requires_system_checks = []  # Started again after every crash: quickly.
    help = "Does steps of operations, several at a time, until SIGTERM. Start as many as you like, anywhere."

    def handle(self, *args: object, **options: object) -> None:
        WorkerTree().run()
