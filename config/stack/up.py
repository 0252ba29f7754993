"""The way from nothing to a running Vectorpress, step by step."""

import os
from collections.abc import Iterable
from functools import partial

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from articles.filters import indexes
from config.stack import (
    accounts,
    capabilities,
    disk_reserve,
    disk_space,
    firststart,
    handover,
    ownership,
    services,
)
from config.stack.corpus import import_corpus
from config.stack.http_service import reachable
from config.stack.kill_switch import KillSwitch
from config.stack.launch import become
from config.stack.lock import DataLock
from config.stack.processes import Account, StackError, launcher
from config.stack.service import Service
from config.stack.supervisor import Supervisor
from config.stack.terminal import Report
from embeddings import spaces
from embeddings.models import Space
from lib.manage_command import manage
from queueops.base import database_away, installed
from queueops.operate.checks import configuration, database, server
from queueops.operate.checks.finding import CheckResult

SECONDS_TO_START = 120.0


def up(*, first_import: bool) -> None:
    """Starts the stack and returns after a requested stop. Raises StackError."""
    report = Report()
    lock = DataLock(settings.DATA_DIR)
    locked = lock.acquire(local_url())
    try:
        # not before the lock is ours: the files of a running server stay as they are
        if disk_reserve.give_up(settings.DATA_DIR):
            report.say(
                f"{disk_space.sentence(settings.DATA_DIR)}. The reserve was deleted for this start: remove something "
                f"now, for instance with {manage('queue_admin cleanup')}, or the next start fails"
            )
        say_settings_file(report)
        account = take_account(report)
        demand_free_ports()
        leash = KillSwitch(locked, partial(launcher, 0, account, services.to_run_python()))
        with Supervisor(report, leash) as supervisor:
            login, token = start(supervisor)
            report.say(welcome(login, token))
            if settings.DATABASE_EMBEDDED:
                disk_reserve.keep(settings.DATA_DIR)
            if first_import:
                import_corpus(supervisor)
            handover.become_small(supervisor, account, services.to_run_python())
            supervisor.watch()
        report.say("stopped")
    finally:
        lock.release()


def say_settings_file(report: Report) -> None:
    """Names the file of settings, if there is one, and what is wrong with it."""
    if path := settings.ENV_FILE.path:
        report.say(f"settings are read from {path}; to show each: {manage('embed_check config')}")
    for finding in configuration.of_file():
        report.say(f"warning: {finding.check} {finding.detail}. {finding.fix}")


def take_account(report: Report) -> Account | None:
    """The account that root's stack runs as, made if missing and given the data folder; None: ourselves."""
    account = accounts.account_for(settings.DATA_DIR, settings.RUN_AS, report.say)
    if account is None:
        return None
    name = accounts.label(account)
    try:
        ownership.hand_over(settings.DATA_DIR, account, (settings.BASE_DIR, *services.code()))
    except OSError as error:
        raise StackError(
            f"{settings.DATA_DIR} cannot be given to {name} ({error.strerror}): start this as a normal user, or set "
            "RUN_AS to an account that may own it."
        ) from None
    _demand_same(account, services.account())
    report.say(f"started by root: everything runs as {name}")
    if closed := capabilities.closed_folder(account, *services.code(), settings.DATA_DIR):
        report.say(
            f"warning: only root may enter {closed}, so the processes of {name} keep root's right to read any file. "
            f"To end this: chmod o+x {closed}, or move the checkout, its .venv and Python out of it"
        )
    return account


def _demand_same(account: Account | None, its: Account | None) -> None:
    """The account is read from the folder more than once, and the folder may have been exchanged meanwhile."""
    if its != account:
        raise StackError(f"{settings.DATA_DIR} changed its owner during the start: start again.")


def give_up_root(account: Account | None, members: Iterable[Service]) -> None:
    """Makes root's supervisor the account as well: from here on, nothing of the stack is root."""
    if account is None or os.geteuid() != 0:
        return
    kept = services.to_run_python()
    for service in members:
        kept |= service.process.capabilities
    of_the_account = services.child_environment()
    os.environ.clear()
    os.environ.update(of_the_account)
    os.umask(0o077)
    become(f"{account.uid}:{account.gid}", kept)


def demand_free_ports() -> None:
    """Refuses to start where another program listens on a port of ours."""
    services.demand_free(settings.HOST, settings.PORT, "PORT")
    if settings.EMBEDDING_PROVIDER == "local" and settings.LOCAL_EMBEDDER_PORT:
        services.demand_free(services.LOOPBACK, settings.LOCAL_EMBEDDER_PORT, "LOCAL_EMBEDDER_PORT")


def start(supervisor: Supervisor) -> tuple[firststart.Login | None, firststart.Token]:
    """Starts the servers, brings the database up to date and starts everything that uses it."""
    servers, embedder, web = services.servers(), services.embedder(), services.web()
    for service in [*servers, *embedder, web]:
        _demand_same(services.account(), service.process.account)
    for service in [*servers, *embedder]:
        supervisor.launch(service)
    supervisor.await_ready(servers, SECONDS_TO_START)
    services.demand_broker()
    give_up_root(services.account(), [*servers, *embedder, web])  # root created the roles; no one else may
    made = prepare_database(supervisor)
    embedder += embedder_of_spaces(supervisor, is_there=bool(embedder))
    supervisor.launch(web)
    supervisor.await_ready([*embedder, web], SECONDS_TO_START)
    if firststart.has_queue():
        supervisor.launch(
            services.workers()
        )  # last: on a small machine they would slow down the others' start
    else:
        supervisor.report.say(f"no workers: {installed.missing()}; then start the stack again")
    return made


def embedder_of_spaces(supervisor: Supervisor, *, is_there: bool) -> list[Service]:
    """The local embedder, started because a space has vectors of its model, whatever the settings name now. Says so if
    the settings name another model than the serving space."""
    try:
        for finding in database.check_space():
            if finding.verdict is not CheckResult.OK:
                supervisor.report.say(f"warning: {finding.detail}. {finding.fix}")
        if is_there or not Space.objects.receiving().filter(provider="local").exists():
            return []
    finally:
        firststart.release_connections()
    found = services.embedder(is_needed=True)
    for service in found:
        supervisor.launch(service)
    return found


def prepare_database(supervisor: Supervisor) -> tuple[firststart.Login | None, firststart.Token]:
    """Migrates it if it is behind, and makes what the first start makes."""
    demand_database()
    try:
        for words in firststart.pending_migrations():
            supervisor.run(services.manage("migrate", "migrate", "--no-input", *words))
        if synced := indexes.sync():  # `migrate` does it too, but SEARCH_FILTERS may have changed since
            supervisor.report.say(f"indexes of SEARCH_FILTERS: {synced}")
        spaces.ensure_first()
        return firststart.ensure_login(), firststart.ensure_token()
    except (StackError, DatabaseError) as error:
        if settings.DATABASE_EMBEDDED and disk_space.is_short(settings.DATA_DIR):
            raise StackError(f"{disk_space.sentence(settings.DATA_DIR)}\n{error}") from None
        raise
    finally:
        firststart.release_connections()


def demand_database() -> None:
    """Refuses, before anything is made in it, a database that does not answer or cannot hold an installation."""
    try:
        found = server.obstacles()
    except (DatabaseError, InterfaceError) as error:
        raise StackError(
            f"The database that DATABASE_URL names cannot be used: {database_away.reason(error)}"
        ) from None
    if found:
        raise StackError("\n".join(["The database that DATABASE_URL names cannot be used.", *found]))


def local_url() -> str:
    """The site's address for a browser on this machine; behind a proxy that ends TLS it redirects."""
    return f"http://{reachable(settings.HOST)}:{settings.PORT}"


def welcome(login: firststart.Login | None, token: firststart.Token) -> str:
    """Address, login and token, and where they are kept."""
    kept = firststart.login_file()
    if login is None:
        admin = f"an existing account; to create another: {manage('createsuperuser')}"
    elif login.password is None:
        admin = f"{login.name}, with the password in {kept}"
    else:
        admin = f"{login.name}, password {login.password} (shown this once, kept in {kept})"
    address = settings.PUBLIC_URL or local_url()
    behind = f", for the proxy at {local_url()}" if settings.PUBLIC_URL else ""
    return f"""
Vectorpress is up at {address}{behind}
admin   {address}/admin/   {admin}
API     {address}/api/docs   token {token_in_words(token)}
stop    Ctrl-C
"""


def token_in_words(token: firststart.Token) -> str:
    """The token in the run that made it; afterwards where it is."""
    place = settings.AUTH_TOKEN_FILE or "the environment (AUTH_TOKEN)"
    if token.has_ended:
        return f"in {place} is revoked or expired; to create another: {manage('create_token')}"
    if token.is_new and settings.AUTH_TOKEN_FILE:
        return f"{settings.AUTH_TOKEN} (shown this once, kept in {place})"
    return f"in {place}"
