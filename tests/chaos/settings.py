from palette_portal.settings import *  # noqa: F403, TID251 - the settings of the processes under test

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.apps.ChaosConfig"]  # noqa: F405
ORCHESTRATION_WATCHERS: list[str] = []
