from palette_portal.settings import *  # noqa: F403, TID251 - the settings of the processes under test

INSTALLED_APPS = [*INSTALLED_APPS, "tests.crash.apps.CrashConfig"]  # noqa: F405
