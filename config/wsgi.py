"""Django as a WSGI application: for config.asgi, and for other WSGI servers behind a buffering proxy."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config import web_sessions
from config.http.chunked_bodies import with_chunked_bodies
from config.http.sub_path import with_sub_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
web_sessions.bound()
application = with_chunked_bodies(
    with_sub_path(get_wsgi_application(), settings.SUB_PATH), settings.DATA_UPLOAD_MAX_MEMORY_SIZE
)
