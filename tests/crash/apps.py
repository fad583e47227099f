import sys

from django.apps import AppConfig


class CrashConfig(AppConfig):
    name = "tests.crash"

    def ready(self):
        if "worker" in sys.argv:
            from tests.crash.strikes import install

            install()
