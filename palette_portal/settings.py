"""All settings, read from the environment (see the table in README.md).

A required value that is missing stops the start with its name. Code reads `django.conf.settings`, never this
module.
"""

from pathlib import Path

import environ
from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
# Fernet keys, newest first: the first encrypts, all of them decrypt.
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS")
# What installers, nodes and mails call; no trailing slash.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[PUBLIC_URL])
DATA = Path(env.str("DATA", default=str(BASE_DIR / ".data")))

DATABASES = {"default": env.db_url("DATABASE_URL")}
# Kept open between requests and steps; never a pool, which django-q2's forks would share.
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# Asked five times, a query is planned once and kept: a fifth less of a page's time.
DATABASES["default"]["OPTIONS"] = {
    "server_side_binding": True,
    "prepare_threshold": 5,
    **DATABASES["default"].get("OPTIONS", {}),
}
DATABASES["default"].setdefault("TEST", {"NAME": env.str("PORTAL_TEST_DB", default="test_portal")})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "portal_cache",
        # Of the 300 that Django keeps, guessing from many addresses would drive out the rate limits.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
    # For what each web process may count by itself: the reports of a thousand nodes need no queries for it.
    "process": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "process",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django.forms",
    "django_htmx",
    "django_q",
    "allauth",
    "allauth.account",
    "csp",
    "palette_portal.tenants",
    "palette_portal.orchestration",
    "gateways",
    "ippools",
    "clusters",
    "clusters.profiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "palette_portal.static_files.static_files",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "palette_portal.middleware.ScopeMiddleware",
    "palette_portal.middleware.DomainErrorMiddleware",
]

ROOT_URLCONF = "palette_portal.urls"
ASGI_APPLICATION = "palette_portal.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "palette_portal.tenants.shell.shell",
            ],
            "builtins": ["django.templatetags.static"],
        },
    }
]
FORM_RENDERER = "palette_portal.rendering.PortalRenderer"

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["palette_portal.tenants.sign_in.Backend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

# Sign-in by e-mail; accounts are made by Tenant Admins. Rate limits count in the cache, which is a table.
ACCOUNT_ADAPTER = "palette_portal.tenants.sign_in.Adapter"
ACCOUNT_FORMS = {
    "login": "palette_portal.tenants.sign_in.SignInForm",
    "change_password": "palette_portal.tenants.sign_in.PasswordChangeForm",
    "reset_password": "palette_portal.tenants.sign_in.PasswordResetForm",
    "reset_password_from_key": "palette_portal.tenants.sign_in.PasswordSetForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# One proxy in front of us says who the client is; without it nobody may say so for himself.
ALLAUTH_TRUSTED_PROXY_COUNT = NINJA_NUM_PROXIES = 1 if env.bool("BEHIND_PROXY", default=False) else 0

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or env.bool("STATIC_FROM_SOURCE", default=False)
        else "palette_portal.rendering.StaticFilesStorage"
    },
}
SERVESTATIC_USE_FINDERS = DEBUG or env.bool("STATIC_FROM_SOURCE", default=False)
SERVESTATIC_AUTOREFRESH = DEBUG

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
SECURE_HTTPS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_HTTPS else 0
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
)
X_FRAME_OPTIONS = "DENY"

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
# Mails are sent while the browser waits.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Palette Portal <portal@localhost>")

# The durable engine. The lease bounds how long a step whose worker died stays untouched.
ORCHESTRATION_LEASE_SECONDS = env.float("ORCHESTRATION_LEASE_SECONDS", default=8)
ORCHESTRATION_TICK_SECONDS = env.float("ORCHESTRATION_TICK_SECONDS", default=1)
ORCHESTRATION_WATCHERS = ["clusters.watcher.watch"]
ORCHESTRATION_SCHEDULES: dict[str, float] = {
    "palette_portal.orchestration.housekeeping.tidy_up": 60,
    "clusters.actions.health.watch_clusters": 15,
    "clusters.actions.repair.repair_clusters": 30,
    "clusters.actions.autoscale.scale_clusters": 15,
    "gateways.actions.health.show_heartbeats": 30,
    "gateways.actions.system.watch_system_gateways": 15,
    "clusters.actions.queue.release_waiting": 5,
    "clusters.actions.leftovers.watch_leftovers": 30,
    "clusters.actions.instructions.forget_instructions": 600,
}
# Called with an operation that has ended.
ORCHESTRATION_ENDINGS = ["clusters.actions.queue.release_after"]
# A task is only a doorbell: results, statistics, retries and schedules of django-q2 are unused; see docs/adr.
Q_CLUSTER = {
    "name": "portal",
    "orm": "default",
    "broker_class": "palette_portal.orchestration.broker.NotifyBroker",
    "cache": "none",
    "scheduler": False,
    "workers": env.int("ORCHESTRATION_WORKERS", default=4),
    "poll": 1,
    "bulk": 1,
    "queue_limit": 1,
    "timeout": 3600,
    "retry": 4 * 3600,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "recycle": 500,
    "max_rss": 300_000,
    "catch_up": False,
}

VSPHERE_CONNECT_TIMEOUT_SECONDS = env.float("VSPHERE_CONNECT_TIMEOUT_SECONDS", default=10)
VSPHERE_READ_TIMEOUT_SECONDS = env.float("VSPHERE_READ_TIMEOUT_SECONDS", default=60)
# Where no vCenter server that is typed may lead: clouds give out their machines' secrets at link-local.
VSPHERE_DENIED_NETWORKS = env.list("VSPHERE_DENIED_NETWORKS", default=["169.254.0.0/16", "fe80::/10"])

# Where the OVAs of node images are kept, as <template name>.ova; empty: templates are put there by hand.
PROFILES_IMAGES_URL = env.str("PROFILES_IMAGES_URL", default="")

# Uploading an image keeps a worker busy for minutes: no more than so many at once, whatever the vCenter.
IMAGE_UPLOADS_AT_ONCE = env.int("IMAGE_UPLOADS_AT_ONCE", default=2)

# How long a released address rests: neighbours and switches remember whose it was.
IPPOOLS_REST_SECONDS = env.float("IPPOOLS_REST_SECONDS", default=120)

PAIRING_CODE_MINUTES = env.int("PAIRING_CODE_MINUTES", default=60)
GATEWAY_REGISTRATION_WARNING_MINUTES = env.int("GATEWAY_REGISTRATION_WARNING_MINUTES", default=10)
# How long a deletion is given before it may be forced.
CLUSTER_FORCE_DELETE_MINUTES = env.int("CLUSTER_FORCE_DELETE_MINUTES", default=15)
GATEWAY_HEARTBEAT_SECONDS = env.int("GATEWAY_HEARTBEAT_SECONDS", default=30)
# How many clusters a gateway works on at once, by its nodes; further ones wait in its queue.
GATEWAY_CONCURRENT_PROVISIONING = {
    1: env.int("GATEWAY_CONCURRENT_PROVISIONING_1_NODE", default=3),
    3: env.int("GATEWAY_CONCURRENT_PROVISIONING_3_NODES", default=6),
}
GATEWAY_SYSTEM_CONCURRENT_PROVISIONING = env.int("GATEWAY_SYSTEM_CONCURRENT_PROVISIONING", default=6)
GATEWAY_SILENCE_MINUTES = env.int("GATEWAY_SILENCE_MINUTES", default=10)
# Where the gateway-installer link leads: elsewhere, or to this file, which the portal then serves.
GATEWAY_INSTALLER_URL = env.str("GATEWAY_INSTALLER_URL", default="")
GATEWAY_INSTALLER_FILE = env.str("GATEWAY_INSTALLER_FILE", default="")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"django-q": {"level": "WARNING"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
