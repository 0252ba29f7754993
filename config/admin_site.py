"""The admin's site: guarded sign-in, and the second factor required before every page.

config.apps.AdminConfig names it, so that every `admin.register` is of this site.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from unfold.sites import UnfoldAdminSite

from access import second_factor
from access.account_pages import second_factor_page, sign_out_everywhere
from access.forms import PasswordChangeForm
from access.sign_in_pages import PasswordChangePage, PasswordPage, code_page

type View = Callable[..., HttpResponseBase]
type Page = Callable[[HttpRequest, dict[str, Any]], HttpResponse]


class AdminSite(UnfoldAdminSite):
    """Admits staff who passed the second factor, if they have one or the setting requires one."""

    def get_urls(self) -> list[URLResolver | URLPattern]:
        code = login_not_required(never_cache(csrf_protect(self._page(code_page))))
        return [
            path("login/code/", code, name="login_code"),
            path("second-factor/", self._for_staff(self._page(second_factor_page)), name="second_factor"),
            path(
                "sign-out-everywhere/",
                self.admin_view(self._page(sign_out_everywhere)),
                name="sign_out_everywhere",
            ),
            *super().get_urls(),
        ]

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_permission(request)) and second_factor.is_satisfied(request)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Every page and JSON reply of the admin passes here; where the second factor is missing, the way to it."""
        admitted = super().admin_view(view, cacheable)

        @wraps(admitted)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if self._lacks_second_factor(request):
                way_out: View = self.logout if view == self.logout else self._ask_for_it
                return way_out(request)
            response: HttpResponseBase = admitted(request, *args, **kwargs)
            return response

        return guarded

    @method_decorator(never_cache)
    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """As Django's, with the guarded page; HEAD is handled like GET."""
        next_url = LoginView(request=request).get_redirect_url(request) or reverse("admin:index")
        if request.method in {"GET", "HEAD"}:
            if self.has_permission(request):
                return HttpResponseRedirect(next_url)
            if self._lacks_second_factor(request) and not second_factor.has_device(request.user):
                return redirect("admin:second_factor")
        context = {
            **self.each_context(request),
            "title": "Log in",
            "subtitle": None,
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            REDIRECT_FIELD_NAME: next_url,
            **(extra_context or {}),
        }
        view = PasswordPage.as_view(
            extra_context=context, authentication_form=self.login_form, template_name="admin/login.html"
        )
        request.current_app = self.name
        return view(request)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """As the theme's, with the guarded form."""
        view = PasswordChangePage.as_view(
            form_class=PasswordChangeForm,
            success_url=reverse("admin:password_change_done"),
            extra_context=self.each_context(request) | (extra_context or {}),
        )
        request.current_app = self.name
        return view(request)

    def _page(self, page: Page) -> View:
        return lambda request: page(request, self.each_context(request))

    def _for_staff(self, view: View) -> View:
        """Open to staff who have no second factor yet, unlike everything else."""

        def guarded(request: HttpRequest) -> HttpResponseBase:
            if not super(AdminSite, self).has_permission(request):
                return redirect_to_login(request.get_full_path(), reverse("admin:login"))
            if self._lacks_second_factor(request) and second_factor.has_device(request.user):
                return self._ask_for_it(request)
            return view(request)

        return never_cache(csrf_protect(guarded))

    def _lacks_second_factor(self, request: HttpRequest) -> bool:
        return bool(super().has_permission(request)) and not second_factor.is_satisfied(request)

    def _ask_for_it(self, request: HttpRequest) -> HttpResponseBase:
        """To the page that sets it up; who has one signs in again with it."""
        if not second_factor.has_device(request.user):
            return redirect("admin:second_factor")
        logout(request)
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
