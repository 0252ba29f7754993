"""Every setting of Vectorpress: read once, here, from the environment or `.env`, and refused here if it is invalid."""

import socket
from pathlib import Path
from typing import Any

import django_stubs_ext
from redis import ConnectionError as RedisConnectionError
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.retry import Retry

from access import token_text
from config import env, logs, pool_check, provider_env, public_site, search_env
from config.admin_theme import UNFOLD as UNFOLD
from config.http.content_security_policy import SITE_POLICY
from config.secrets_on_disk import data_folder, kept_secret
from config.stack import accounts, paths
from embeddings.model_catalogue import spec_of

django_stubs_ext.monkeypatch()  # lets generic classes such as ModelAdmin[Article] be written at run time

BASE_DIR = Path(__file__).resolve().parent.parent
ENV_FILE = env.file("ENV_FILE")
DATA_DIR = data_folder(env.path("DATA_DIR", str(BASE_DIR / "var")))

# --- this installation ------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG", False)
MANAGE_COMMAND = env.text("MANAGE_COMMAND", "python manage.py")  # how hints begin; `./dev` sets it
RUN_AS = env.text("RUN_AS", accounts.DEFAULT)
SECRET_KEY = env.secret("SECRET_KEY") or kept_secret(DATA_DIR / "secret_key")
_given_token = env.secret("AUTH_TOKEN")
AUTH_TOKEN_FILE = None if _given_token else DATA_DIR / "auth_token"
AUTH_TOKEN = _given_token or kept_secret(DATA_DIR / "auth_token", token_text.make)
HOST = env.text("HOST", "127.0.0.1")
PORT = env.integer("PORT", 8000, 1, 65535)
WEB_PROCESSES = env.integer("WEB_PROCESSES", 2, 1, 64)
WEB_THREADS = env.integer("WEB_THREADS", 8, 1, 256)
# Of a web process's database sessions. Workers and commands have none: they wait, or set their own.
DATABASE_LOCK_TIMEOUT = env.integer(
    "DATABASE_LOCK_TIMEOUT", 2_000, 0, 3_600_000, "milliseconds, 0: the database's own setting"
)
DATABASE_STATEMENT_TIMEOUT = env.integer(
    "DATABASE_STATEMENT_TIMEOUT", 30_000, 0, 3_600_000, "milliseconds, 0: the database's own setting"
)
PUBLIC_URL = env.site("PUBLIC_URL")
SUB_PATH = FORCE_SCRIPT_NAME = public_site.sub_path(PUBLIC_URL)
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES", public_site.USUAL_PROXIES if PUBLIC_URL else "")
ALLOWED_HOSTS = public_site.hosts(PUBLIC_URL, env.text("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]"))
CSRF_TRUSTED_ORIGINS = public_site.origins(PUBLIC_URL, env.text("CSRF_TRUSTED_ORIGINS"))
CORS_ALLOWED_ORIGINS = env.origins("CORS_ALLOWED_ORIGINS")
STAFF_SECOND_FACTOR = env.choice("STAFF_SECOND_FACTOR", "optional", ["optional", "required"])
STAFF_IDLE_MINUTES = env.integer("STAFF_IDLE_MINUTES", 60, 0, 10_080, "minutes, 0: never")
PROXY_USER_HEADER = env.header("PROXY_USER_HEADER")
if PROXY_USER_HEADER and not env.readings()["TRUSTED_PROXIES"].is_set:
    raise env.refuse(
        "TRUSTED_PROXIES", "", "the proxy's addresses, since PROXY_USER_HEADER is believed from them"
    )
SECURITY_CONTACT = env.contact("SECURITY_CONTACT")
PUBLIC_SEARCH = env.flag("PUBLIC_SEARCH", True)
SEARCH_FILTERS = search_env.fields("SEARCH_FILTERS")
API_RATE_LIMIT = env.integer(
    "API_RATE_LIMIT", 6000, 0, 10_000_000, "requests per minute and token, 0: no limit"
)
API_TOKEN_DAYS = env.integer("API_TOKEN_DAYS", 365, 0, 36_500, "days until a new token ends, 0: never")
# Permissions a person needs in the admin to grant a token this scope: all that the scope allows.
API_SCOPE_PERMISSIONS = {
    "read": ["articles.view_article", "articles.view_articleversion"],
    "write": ["articles.add_article", "articles.change_article", "articles.delete_article"],
    "ops": [
        *[f"queueops.{act}_task" for act in ("view", "change", "delete", "requeue", "cancel")],
        *[f"queueops.change_{name}" for name in ("queuestate", "worker")],
    ],
}
PUBLIC_RATE_LIMIT = env.integer(
    "PUBLIC_RATE_LIMIT", 300, 0, 10_000_000, "requests per minute and address, 0: no limit"
)

# --- servers ----------------------------------------------------------------------------------------------
DATABASE_EMBEDDED = not env.text("DATABASE_URL")
REDIS_EMBEDDED = not env.text("REDIS_URL")
# programs of other servers; read where they are started (config/stack/binaries.py, config/backups/pg_programs.py)
env.text("POSTGRES_BIN_DIR")
env.text("VALKEY_SERVER")
# who may make a scratch database; a server of the operator's own has no other role that we know of
DATABASE_MAINTENANCE_ROLE = paths.SUPERUSER if DATABASE_EMBEDDED else ""
REDIS_URL = env.redis_url("REDIS_URL", paths.redis_url(DATA_DIR))
_database = env.database("DATABASE_URL", paths.database_url(DATA_DIR))
if env.flag("DATABASE_POOL", True):
    _pool_max = 1 + max(WEB_THREADS, env.integer("EMBEDDING_WORKER_THREADS", 4, 1, 64)) + 2
    _database["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": _pool_max,
        "timeout": 3,
        # A request after an outage gets a connection: with its growing pauses the pool would wait as long again.
        "reconnect_timeout": 2,
        "check": pool_check.check,
    }
_database["OPTIONS"] |= {"application_name": f"vectorpress@{socket.gethostname()}"[:63]}
_database["CONN_MAX_AGE"] = 0
DATABASES: dict[str, dict[str, Any]] = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Nothing here uses Django's cache, whose real backends all pickle: query vectors are kept as checked bytes
# (embeddings/search/query_cache.py), counters as numbers (access/throttles.py), sessions in the database.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

# --- embedding: what it means -----------------------------------------------------------------------------
SEMANTIC_SEARCH_ENABLED = env.flag("SEMANTIC_SEARCH_ENABLED", True)
EMBEDDING_PROVIDER = env.choice("EMBEDDING_PROVIDER", "local", ["local", "openai", "ollama"])
EMBEDDING_MODEL = env.text("EMBEDDING_MODEL", provider_env.DEFAULT_MODELS[EMBEDDING_PROVIDER])
EMBEDDING_DIMENSIONS = env.integer("EMBEDDING_DIMENSIONS", 0, 0, 16_000, "0: what the model gives")
EMBEDDING_SEND_DIMENSIONS = env.choice("EMBEDDING_SEND_DIMENSIONS", "auto", ["auto", "true", "false"])
EMBEDDING_QUERY_PREFIX = provider_env.prefix("EMBEDDING_QUERY_PREFIX")  # None: the model's
EMBEDDING_DOCUMENT_PREFIX = provider_env.prefix("EMBEDDING_DOCUMENT_PREFIX")
EMBEDDING_EXTRA_FIELDS = provider_env.fields("EMBEDDING_EXTRA_FIELDS")
EMBEDDING_QUERY_FIELDS = provider_env.fields("EMBEDDING_QUERY_FIELDS")
EMBEDDING_HEADERS = provider_env.headers("EMBEDDING_HEADERS")
EMBEDDING_CA_FILE = provider_env.ca_file("EMBEDDING_CA_FILE", provider_env.ca_file("SSL_CERT_FILE"))
EMBEDDING_PROXY = provider_env.proxy("EMBEDDING_PROXY")
EMBEDDING_PRICES = env.prices("EMBEDDING_PRICES")  # dollars per million tokens, by model
spec_of(EMBEDDING_MODEL, EMBEDDING_DIMENSIONS)  # refuses a model of unknown width
OPENAI_API_KEY = env.key("OPENAI_API_KEY")
OPENAI_BASE_URL = provider_env.base_url("OPENAI_BASE_URL", provider_env.OPENAI_URL)
provider_env.check(EMBEDDING_PROVIDER, EMBEDDING_MODEL, OPENAI_API_KEY, OPENAI_BASE_URL)
OLLAMA_BASE_URL = env.http_url("OLLAMA_BASE_URL", "http://localhost:11434")
LOCAL_EMBEDDER_SOCKET = paths.embedder_socket(paths.socket_dir(DATA_DIR))
LOCAL_EMBEDDER_PORT = env.integer("LOCAL_EMBEDDER_PORT", 0, 0, 65535, "0: a Unix socket instead of a port")
LOCAL_EMBEDDER_SECRET = env.secret("LOCAL_EMBEDDER_SECRET")
if LOCAL_EMBEDDER_PORT == PORT:
    raise env.refuse("LOCAL_EMBEDDER_PORT", str(PORT), "0, or a port that the web server (PORT) does not use")
if LOCAL_EMBEDDER_PORT and not LOCAL_EMBEDDER_SECRET:
    LOCAL_EMBEDDER_SECRET = kept_secret(DATA_DIR / "embedder_secret")

# --- the queue: what happens next (milliseconds where the name's documents say so) ------------------------
EMBEDDING_QUEUE_ENABLED = env.flag("EMBEDDING_QUEUE_ENABLED", True)
EMBEDDING_WORKER_INTERVAL = env.integer("EMBEDDING_WORKER_INTERVAL", 5_000, 100, 3_600_000, "milliseconds")
EMBEDDING_WORKER_TIMEOUT = env.integer("EMBEDDING_WORKER_TIMEOUT", 60_000, 5_000, 86_400_000, "milliseconds")
FAILPOINT = env.drill("VECTORPRESS_FAILPOINT")  # read and explained by queueops/base/failpoints.py
EMBEDDING_MAX_RETRIES = env.integer("EMBEDDING_MAX_RETRIES", 3, 1, 100)
EMBEDDING_RETRY_BACKOFF_BASE = env.integer(
    "EMBEDDING_RETRY_BACKOFF_BASE", 1_000, 1, 3_600_000, "milliseconds"
)
EMBEDDING_BATCH_SIZE = env.integer("EMBEDDING_BATCH_SIZE", 0, 0, 2_048, "texts, 0: what suits the provider")
EMBEDDING_MAX_INPUTS = env.integer("EMBEDDING_MAX_INPUTS", 0, 0, 2_048, "texts, 0: what the provider accepts")
# shared by all processes, per kind of provider; 0: no limit
EMBEDDING_REQUESTS_PER_MINUTE = env.integer("EMBEDDING_REQUESTS_PER_MINUTE", 0, 0, 10_000_000, "0: no limit")
EMBEDDING_TOKENS_PER_MINUTE = env.integer("EMBEDDING_TOKENS_PER_MINUTE", 0, 0, 10**12, "0: no limit")
EMBEDDING_CALLS_IN_FLIGHT = env.integer("EMBEDDING_CALLS_IN_FLIGHT", 0, 0, 1_000, "0: no limit")
EMBEDDING_DAILY_TOKEN_BUDGET = env.integer("EMBEDDING_DAILY_TOKEN_BUDGET", 0, 0, 10**15, "0: no limit")
EMBEDDING_CLEANUP_INTERVAL = env.integer("EMBEDDING_CLEANUP_INTERVAL", 24, 1, 8_760, "hours")
EMBEDDING_CLEANUP_RETENTION_DAYS = env.integer("EMBEDDING_CLEANUP_RETENTION_DAYS", 30, 1, 36_500, "days")
EMBEDDING_CONCURRENT_WORKERS = env.integer("EMBEDDING_CONCURRENT_WORKERS", 2, 1, 64, "worker processes")
EMBEDDING_WORKER_THREADS = env.integer("EMBEDDING_WORKER_THREADS", 4, 1, 64, "threads per worker process")

DRAMATIQ_BROKER = {
    "BROKER": "queueops.wakeups.blocking_broker.BlockingRedisBroker",
    "OPTIONS": {
        # A pool, since Dramatiq drops all other options where it is given an address. A connection that a restarted
        # server ended is opened again at once; a missing reply is not awaited twice.
        "connection_pool": ConnectionPool.from_url(
            REDIS_URL,
            socket_timeout=2,
            socket_connect_timeout=0.5,
            retry=Retry(NoBackoff(), 1, (RedisConnectionError,)),
        ),
        # not Dramatiq's own, which any other program on the same database has
        "namespace": "vectorpress",
        "heartbeat_timeout": 20_000,
        "maintenance_chance": 100_000,
    },
    # No retries, results or delays of Dramatiq's own: the task's row holds them.
    "MIDDLEWARE": [
        "dramatiq.middleware.ShutdownNotifications",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
        "queueops.wakeups.middleware.WorkerLifecycle",
    ],
}
DRAMATIQ_ENCODER = "queueops.wakeups.encoder.TolerantEncoder"
DRAMATIQ_AUTODISCOVER_MODULES = ["actors"]
DRAMATIQ_IGNORED_MODULES = ["django_dramatiq.tasks"]

# --- Django -----------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "config.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "queueops",  # before django_dramatiq, so that its rundramatiq is the one that runs
    "django_dramatiq",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "ninja",
    "config",
    "embeddings",
    "articles",
    "access",
]
MIDDLEWARE = [
    "config.http.proxies.ForwardedMiddleware",
    "config.http.compression.middleware",
    "config.http.request_ids.middleware",
    "config.http.health_probe.middleware",
    *(["config.http.cors.middleware"] if CORS_ALLOWED_ORIGINS else []),
    "config.http.problems.middleware",
    "config.http.unavailable.UnavailableMiddleware",
    "config.http.page_middleware.begin",  # calls of the API go past what follows (config/http/api_security_headers.py)
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.http.content_security_policy.admin_policy",
    "config.http.refuse_nul.without_nul",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.http.page_middleware.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.http.page_middleware.ProxyUserMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "config.http.page_middleware.end",
]
ROOT_URLCONF = "config.urls"
CSRF_FAILURE_VIEW = "config.http.csrf_failures.refused"
WSGI_APPLICATION = "config.wsgi.application"
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
            ],
            "builtins": ["lib.template_filters"],
        },
    }
]
STATIC_URL = f"{SUB_PATH}/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = ["config.formats"]
APPEND_SLASH = False
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024  # of every request body: config.http.problems.middleware
# No page takes a file: none is parsed, and no handler is there that could write one to the disk.
DATA_UPLOAD_MAX_NUMBER_FILES = 0
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
AUTHENTICATION_BACKENDS = [
    "access.backends.PasswordBackend",
    *(["access.backends.ProxyUserBackend"] if PROXY_USER_HEADER else []),
]
OTP_TOTP_ISSUER = "Vectorpress"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
# access/attempts.py counts wrong codes by caller; by the library's count, a password were enough to lock its owner out
OTP_TOTP_THROTTLE_FACTOR = OTP_STATIC_THROTTLE_FACTOR = 0
SESSION_ENGINE = "access.session_store"
SESSION_COOKIE_AGE = 7 * 24 * 3600  # seconds from signing in, however busy the session is
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}}
]
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
IS_HTTPS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_SSL_HOST = public_site.origin(PUBLIC_URL).partition("://")[2] or None
SECURE_HSTS_SECONDS = public_site.HSTS_SECONDS if IS_HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # from TRUSTED_PROXIES: config/http/proxies.py
SILENCED_SYSTEM_CHECKS = public_site.SILENCED_CHECKS
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = f"{SUB_PATH}/"  # other sites of the same name see neither
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = SITE_POLICY

# In the session, that is on the server: a message in a cookie would travel through every proxy's log.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LOGGING_CONFIG = None
logs.configure(level=env.choice("LOG_LEVEL", "info", ["debug", "info", "warning", "error"]).upper())

# All settings read above, for embed_check config: values without passwords, by name.
ENVIRONMENT = env.readings()
