from django.apps import AppConfig


class ChaosConfig(AppConfig):
    name = "tests.chaos"

    def ready(self):
        from tests.chaos.boundaries import install

        install()
