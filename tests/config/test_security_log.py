"""Who signed in, failed to and was blocked is in the audit log, in a bounded number of rows, and never a secret."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from access import attempts
from config import security_log
from config.security_log import HourlyBudget, Repeats
from queueops.base import installed
from queueops.models import AuditLog
from tests.access.conftest import fresh_attempts  # noqa: F401  a fixture
from tests.access.people import HOME, OFFICE, SECRET, code_of, make_ada, make_device, sign_in
from tests.factories import make_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_attempts")]


@pytest.fixture(autouse=True)
def new_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    for budget in ("_budget", "_budget_of_known"):
        monkeypatch.setattr(security_log, budget, HourlyBudget(security_log.ROWS_PER_HOUR))
    monkeypatch.setattr(security_log, "_repeats", Repeats())


@pytest.fixture
def ada() -> User:
    return make_ada()


def rows() -> list[tuple[Any, ...]]:
    """Message, actor and address of each row, the first one first."""
    return [
        (row.message, row.actor, row.metadata.get("address", ""))
        for row in AuditLog.objects.filter(category="access").order_by("id")
    ]


def test_signing_in_and_out_leaves_a_row_each(client: Client, ada: User) -> None:
    sign_in(client)
    client.post("/admin/logout/", REMOTE_ADDR=OFFICE)
    assert rows() == [("signed in", "ada", OFFICE), ("signed out", "ada", OFFICE)]


def test_of_many_failures_the_first_and_the_block_leave_a_row(client: Client, ada: User) -> None:
    for number in range(40):
        sign_in(client, f"wrong-{number}")
    assert rows() == [
        ("sign-in failed", "ada", OFFICE),
        ("sign-in blocked after 10 failures by name and address", "ada", OFFICE),
    ]


def test_each_name_that_an_address_tries_is_written_until_the_address_is_blocked(client: Client) -> None:
    for number in range(60):
        sign_in(client, "wrong", name=f"name-{number}")
    assert len(rows()) == attempts.PASSWORD.rules[1].most + 1
    assert rows()[-1] == ("sign-in blocked after 30 failures by address", "", OFFICE)


def test_an_attack_from_many_addresses_writes_a_bounded_number_of_rows(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security_log, "ROWS_PER_HOUR", 5)
    monkeypatch.setattr(security_log, "_budget", HourlyBudget(5))
    for number in range(40):
        sign_in(client, "wrong", name=f"name-{number}", address=f"203.0.113.{number}")
    assert len(rows()) == 6
    assert rows()[-1][0] == "further rows like the last one are not written in this hour: 5 were"


def test_no_secret_is_in_a_row_or_in_the_log(
    client: Client, ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    device = make_device(ada)
    _, token = make_token()
    sign_in(client, "a-wrong-password")
    sign_in(client)
    client.post("/admin/login/code/", {"code": "135790"}, REMOTE_ADDR=OFFICE)
    device.refresh_from_db()
    device.throttle_reset()
    code = code_of(device)
    client.post("/admin/login/code/", {"code": code}, REMOTE_ADDR=OFFICE)
    client.get("/api/articles", headers={"authorization": f"Bearer {token}x"}, REMOTE_ADDR=OFFICE)
    written = str(list(AuditLog.objects.values())) + caplog.text
    assert [message for message, *_ in rows()] == [
        "sign-in failed",
        "password right, second factor asked",
        "second factor failed",
        "signed in",
        "API token failed",
    ]
    for secret in ("a-wrong-password", SECRET, "135790", token, device.key):
        assert secret not in written
    assert AuditLog.objects.get(message="signed in").metadata["factor"] == "second factor"


def test_names_are_bounded_and_move_no_text(client: Client, ada: User) -> None:
    for name in ("x" * 150, "\u202eada", "a\x1b[2Jda"):
        sign_in(client, "wrong", name=name)
    assert {actor for _, actor, _ in rows()} == {"x" * 150, "?ada", "a?[2Jda"}


def test_what_becomes_of_a_second_factor_and_of_sessions_is_written(client: Client, ada: User) -> None:
    sign_in(client)
    page = "/admin/second-factor/"
    client.post(page, {"act": "start"}, REMOTE_ADDR=OFFICE)
    device = TOTPDevice.objects.get()
    client.post(page, {"act": "confirm", "code": code_of(device)}, REMOTE_ADDR=OFFICE)
    device.refresh_from_db()
    device.last_t = -1
    device.save()
    client.post(page, {"act": "remove", "code": code_of(device)}, REMOTE_ADDR=OFFICE)
    client.post("/admin/sign-out-everywhere/", REMOTE_ADDR=HOME)
    assert [message for message, *_ in rows()] == [
        "signed in",
        "second factor: added",
        "second factor: removed",
        "sessions ended",
        "signed out",
    ]
    ended = AuditLog.objects.get(message="sessions ended")
    assert (ended.actor, ended.metadata) == ("ada", {"address": HOME, "whose": "ada", "count": "1"})


def test_without_the_queues_tables_one_signs_in_all_the_same(client: Client, ada: User) -> None:
    with connection.cursor() as cursor:
        for model in apps.get_app_config("queueops").get_models():
            cursor.execute(f"DROP TABLE {model._meta.db_table} CASCADE")
    installed.forget()
    assert sign_in(client, "wrong").status_code == 200
    assert sign_in(client).status_code == 302


def test_a_database_that_refuses_the_row_keeps_nobody_out(
    client: Client, ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE embedding_audit_logs ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
    assert sign_in(client).status_code == 302
    assert "an audit row could not be written" in caplog.text
    assert User.objects.filter(username="ada").exists()


def test_a_program_that_signs_in_leaves_no_row(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert rows() == []


def test_an_hour_has_its_budget_and_the_next_one_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 7_200.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    budget = HourlyBudget(2)
    assert [budget.spend() for _ in range(4)] == [2, 1, 0, 0]
    now += 3_600
    assert budget.spend() == 2


def test_a_right_password_without_the_code_leaves_a_row_a_minute(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_device(ada)
    now = 7_200.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    for _ in range(3):
        sign_in(Client())
    sign_in(Client(), address=HOME)
    message = "password right, second factor asked"
    assert rows() == [(message, "ada", OFFICE), (message, "ada", HOME)]
    now += 61
    sign_in(Client())
    assert len(rows()) == 3


def test_right_passwords_without_the_code_have_a_budget_that_failures_do_not_spend(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_device(ada)
    monkeypatch.setattr(security_log, "_budget", HourlyBudget(0))
    monkeypatch.setattr(security_log, "_budget_of_known", HourlyBudget(2))
    for number in range(5):
        sign_in(Client(), address=f"203.0.113.{number}")
    assert [message for message, *_ in rows()][:2] == ["password right, second factor asked"] * 2
    assert len(rows()) == 3


def test_a_bounded_number_of_events_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security_log, "_REPEATS_HELD", 3)
    repeats = Repeats()
    assert [repeats.has("event", str(number)) for number in range(9)] == [False] * 9
    assert len(repeats._until) == 3
    assert repeats.has("event", "8")
