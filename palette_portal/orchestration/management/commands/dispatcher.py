from django.core.management.base import BaseCommand

from palette_portal.orchestration.dispatcher import Dispatcher


class Command(BaseCommand):
    requires_system_checks = []  # Started again after every crash: quickly.
    help = "Rings workers for steps that are due and runs watchers and schedules. One leads, others stand by."

    def handle(self, *args: object, **options: object) -> None:
        Dispatcher().run()
