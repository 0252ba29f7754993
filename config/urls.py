"""Every address of the site; the one place that joins the apps' views and sets who may see them."""

from django.contrib import admin
from django.urls import path, re_path

from access.models import Scope
from config.api import api, unknown_path
from config.http.access_rules import public, with_token
from config.http.security_txt import security_txt
from embeddings import views as pages
from queueops.api import health as queue

urlpatterns = [
    path("api/", api.urls),
    re_path(r"^api(?:/.*)?$", unknown_path),
    path("", public(pages.search_page), name="search"),
    path("search", public(pages.search_results, busy="pages/results.html"), name="search_results"),
    path("articles/<str:slug>", public(pages.article_page), name="article"),
    path("admin/", admin.site.urls),
    path(".well-known/security.txt", security_txt, name="security_txt"),
    path("health", queue.health_answer, name="health"),
    path("stats", with_token(queue.stats, Scope.READ), name="stats"),
]
handler500 = "config.http.unavailable.server_error"
