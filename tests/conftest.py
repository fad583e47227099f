"""Runs before any test module: a database of this run (embedded unless DATABASE_URL is set), then Django.

Settings that only make tests slow are made cheap here; everything else is as in production.
"""

import atexit
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.cache import caches
from django.db import connection, transaction
from django.test import TransactionTestCase

from palette_portal.launcher.postgres import EmbeddedPostgres
from palette_portal.vsphere.session import keep_records

UNSAFE_BUT_QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def ensure_database() -> None:
    """The workers of pytest-xdist find the URL that their parent left in the environment."""
    if os.environ.get("DATABASE_URL"):
        return
    folder = Path(tempfile.mkdtemp(prefix="palette-test-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder, options=UNSAFE_BUT_QUICK)
    atexit.register(server.destroy)
    server.start()
    os.environ["DATABASE_URL"] = server.url


def configure_django() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palette_portal.settings")
    os.environ.setdefault("SECRET_KEY", "only-for-tests")
    os.environ.setdefault("ENCRYPTION_KEYS", Fernet.generate_key().decode())
    os.environ.setdefault("STATIC_FROM_SOURCE", "1")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.CACHES["default"] = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.IPPOOLS_REST_SECONDS = 0
    django.setup()
    keep_records(None)  # tests that are about them say where


def _empty_tables(_: TransactionTestCase) -> None:
    """Django truncates, which makes new files for all tables and indexes, and writes permissions anew."""
    keep = {"django_migrations", "django_content_type", "auth_permission"}
    tables = sorted(set(connection.introspection.table_names()) - keep)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(";".join(f'DELETE FROM "{table}"' for table in tables))


ensure_database()
configure_django()
TransactionTestCase._fixture_teardown = _empty_tables  # type: ignore[method-assign]


def pytest_make_parametrize_id(val: object) -> str | None:
    """A long text names its test by its beginning: random keys differ between pytest-xdist's workers."""
    return val[:30] if isinstance(val, str) and len(val) > 40 else None


@pytest.fixture(autouse=True)
def _nothing_cached() -> Iterator[None]:
    """Rate limits and other remembered things end with the test."""
    yield
    for cache in caches.all():
        cache.clear()
