"""The admin's appearance and menu."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy

from queueops.base import installed


def _entry(title: str, icon: str, model: str) -> dict[str, Any]:
    """A menu entry for a model's list, shown to those who may view it; `model` is app.model.

    The queue's entries are left out where the queue is not installed.
    """
    app, name = model.split(".")

    def may_view(request: Any) -> bool:
        return (app != "queueops" or installed.is_there()) and bool(
            request.user.has_perm(f"{app}.view_{name}")
        )

    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": may_view,
    }


def _own(title: str, icon: str, name: str) -> dict[str, Any]:
    """A menu entry for a person's own page, shown to all staff."""
    return {"title": title, "icon": icon, "link": reverse_lazy(name), "permission": lambda request: True}


def _tab(title: str, query: dict[str, str] | None = None) -> dict[str, Any]:
    return {"title": title, "link": reverse_lazy("admin:queueops_task_changelist", query=query)}


NAVIGATION = [
    {"items": [{"title": "Overview", "icon": "monitoring", "link": reverse_lazy("admin:index")}]},
    {
        "title": "Articles",
        "separator": True,
        "items": [
            _entry("Articles", "article", "articles.article"),
            _entry("Versions", "history", "articles.articleversion"),
        ],
    },
    {
        "title": "Queue",
        "separator": True,
        "items": [
            _entry("Tasks", "checklist", "queueops.task"),
            _entry("Workers", "memory", "queueops.worker"),
            _entry("State", "toggle_on", "queueops.queuestate"),
            _entry("Providers", "cloud", "queueops.providerstate"),
            _entry("Audit log", "receipt_long", "queueops.auditlog"),
            _entry("Metrics", "show_chart", "queueops.metric"),
        ],
    },
    {
        "title": "Embeddings",
        "separator": True,
        "items": [
            _entry("Spaces", "category", "embeddings.space"),
            _entry("Vectors", "scatter_plot", "embeddings.articleembedding"),
        ],
    },
    {
        "title": "Access",
        "separator": True,
        "items": [
            _entry("API tokens", "key", "access.apitoken"),
            _own("Sessions", "devices", "admin:access_session_changelist"),
            _own("Second factor", "phonelink_lock", "admin:second_factor"),
            _entry("Users", "person", "auth.user"),
            _entry("Groups", "group", "auth.group"),
        ],
    },
]
TABS = [
    {
        "models": ["queueops.task"],
        "items": [
            _tab("All") | {"active": lambda request: "status__exact" not in request.GET},
            *(
                _tab(status.capitalize(), {"status__exact": status})
                for status in ("pending", "processing", "failed", "cancelled", "completed")
            ),
        ],
    }
]
# the teal of the public pages, dark enough for white text on 600
PRIMARY = {
    "50": "oklch(98.4% .014 180.7)",
    "100": "oklch(95.3% .04 180.8)",
    "200": "oklch(91% .07 180.4)",
    "300": "oklch(83% .1 181)",
    "400": "oklch(74% .11 182)",
    "500": "oklch(64% .105 183)",
    "600": "oklch(50% .09 186)",
    "700": "oklch(44% .078 188)",
    "800": "oklch(38% .063 188.4)",
    "900": "oklch(33% .055 190)",
    "950": "oklch(26% .045 192.5)",
}
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Vectorpress",
    "SITE_HEADER": "Vectorpress",
    "SITE_SYMBOL": "search",
    "SITE_URL": reverse_lazy("search"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("pages/icon.svg")}
    ],
    "BORDER_RADIUS": "6px",
    "COLORS": {"primary": PRIMARY},
    "DASHBOARD_CALLBACK": "queueops.admin.dashboard.add_status",
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": NAVIGATION},
    "TABS": TABS,
    "ACCOUNT": {
        "navigation": [
            {"title": "Second factor", "link": reverse_lazy("admin:second_factor")},
            {"title": "Sign out everywhere", "link": reverse_lazy("admin:sign_out_everywhere")},
        ]
    },
    "STYLES": [lambda request: static("admin/vectorpress.css")],
}
