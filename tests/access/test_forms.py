"""Forms of people who sign in."""

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory

from access.attempts import PASSWORD, TooManyAttempts
from access.forms import CodeForm, PasswordChangeForm
from tests.access.people import OFFICE, SECRET, make_ada


@pytest.mark.parametrize(
    ("code", "is_right"),
    [
        ("123456", True),
        ("123 456", True),
        ("x" * 32, True),
        ("", False),
        (" ", False),
        ("x" * 33, False),
        ("\x00", False),
    ],
)
def test_a_code_is_a_short_text(code: str, is_right: bool) -> None:
    assert CodeForm({"code": code}).is_valid() is is_right


def test_a_code_is_offered_by_the_phone_and_kept_by_no_browser() -> None:
    page = str(CodeForm()["code"])
    assert 'autocomplete="one-time-code"' in page


def change(user: User, old: str) -> PasswordChangeForm:
    new = "another-long-password-7"
    request = RequestFactory().post("/", REMOTE_ADDR=OFFICE)
    given = {"old_password": old, "new_password1": new, "new_password2": new}
    return PasswordChangeForm(user, given, request=request)


@pytest.mark.django_db
@pytest.mark.usefixtures("fresh_attempts")
def test_the_old_password_is_asked_for_and_is_a_guess_like_any_other() -> None:
    ada = make_ada()
    assert change(ada, SECRET).is_valid()
    for _ in range(PASSWORD.rules[0].most):
        assert set(change(ada, "wrong").errors) == {"old_password"}
    with pytest.raises(TooManyAttempts):
        change(ada, SECRET).is_valid()
