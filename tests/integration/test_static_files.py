import re
from importlib.resources import files
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import Settings


@pytest.fixture
def collected(tmp_path: Path, settings: Settings) -> Path:
    """As in production: hashed names for everything."""
    settings.STATIC_ROOT = tmp_path
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [*settings.STATICFILES_DIRS, str(files("django_htmx") / "static")]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "palette_portal.rendering.StaticFilesStorage"},
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path


def test_modules_import_each_other_by_hashed_names(collected: Path) -> None:
    hashed = [path for path in collected.glob("js/*.js") if re.search(r"\.[0-9a-f]{12}\.js$", path.name)]
    imports = [
        collected / "js" / name
        for path in hashed
        for name in re.findall(r'(?:import|from) "\./([^"]+)"', path.read_text())
    ]

    assert len(imports) > 10
    assert set(imports) <= set(hashed)


def test_files_are_compressed_beforehand(collected: Path) -> None:
    assert list(collected.glob("css/components.*.css.gz"))
