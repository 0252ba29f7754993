"""Guards of the site and the embedded stack: proxies, secrets, logs, Valkey's folder, the disk reserve."""

from drills.guards.mutation import Mutation

_DAMAGED = "tests/config/stack/test_damaged_valkey.py"

MUTATIONS = (
    Mutation(
        "proxy: a stranger names nobody",
        "config/http/proxies.py",
        "(*_FORWARDED, *user)",
        "_FORWARDED",
        ("tests/config/http/test_proxy_user.py",),
    ),
    Mutation(
        "valkey's folder: an empty one must start",
        "config/stack/valkey.py",
        "            if not self._try(empty, wanted):\n                return False\n",
        "            self._try(empty, wanted)\n",
        (_DAMAGED,),
    ),
    Mutation(
        "valkey's folder: with as much in memory",
        "config/stack/valkey.py",
        "self._try(empty, wanted)",
        "self._try(empty)",
        (_DAMAGED,),
    ),
    Mutation(
        "valkey's folder: a killed start proves nothing",
        "config/stack/valkey.py",
        "return None if not started and process.returncode == -signal.SIGKILL else started",
        "return started",
        (_DAMAGED,),
    ),
    Mutation(
        "valkey's folder: no links, pipes and devices",
        "config/stack/valkey_files.py",
        "if needed is None:",
        "if needed is False:",
        ("tests/config/stack/test_valkey_files.py",),
    ),
    Mutation(
        "set aside: the newest few are kept",
        "config/stack/damaged_files.py",
        "for each in sorted(earlier)[: 1 - KEPT]:",
        "for each in sorted(earlier)[:0]:",
        (_DAMAGED,),
    ),
    Mutation(
        "reserve: only where room is short",
        "config/stack/disk_reserve.py",
        "if not disk_space.is_short(data_dir):",
        "if not data_dir:",
        ("tests/config/stack/test_disk_space.py",),
    ),
    Mutation(
        "secret: what was begun is removed",
        "config/secrets_on_disk.py",
        "    finally:\n        made.unlink()\n",
        "    finally:\n        pass\n",
        ("tests/config/stack/test_disk_space.py",),
    ),
    Mutation(
        "log: ever longer times between lines of a broker",
        "config/log_bounds.py",
        "known.seconds = min(2 * known.seconds, _MOST_SECONDS)",
        "known.seconds = _LEAST_SECONDS",
        ("tests/config/test_logs.py",),
    ),
    Mutation(
        "locks: others hardly wait once one has waited in vain",
        "config/lock_waits.py",
        "        self._until = time.monotonic() + KNOWN_SECONDS",
        "        pass",
        ("tests/config/test_lock_waits.py",),
    ),
    Mutation(
        "settings: the environment wins over the file",
        "config/env_source.py",
        'return (os.environ[name] if name in os.environ else file().values.get(name, "")).strip()',
        'return file().values.get(name, os.environ.get(name, "")).strip()',
        ("tests/config/test_env_source.py",),
    ),
    Mutation(
        "compression: no page of a person",
        "config/http/compression.py",
        'not (request.headers.get("Cookie") or settings.PROXY_USER_HEADER)',
        "True",
        ("tests/config/http/test_compression.py",),
    ),
    Mutation(
        "other origins: only those that are named",
        "config/http/cors.py",
        "if origin not in settings.CORS_ALLOWED_ORIGINS:",
        "if not origin:",
        ("tests/config/http/test_cors.py",),
    ),
    Mutation(
        "api: its host is checked",
        "config/http/api_security_headers.py",
        "        request.get_host()\n",
        "",
        ("tests/config/http/test_page_middleware.py",),
    ),
    Mutation(
        "api: HTTPS is demanded",
        "config/http/api_security_headers.py",
        "if settings.SECURE_SSL_REDIRECT and not is_secure:",
        "if False:",
        ("tests/config/http/test_page_middleware.py",),
    ),
    Mutation(
        "api: replies have the headers of safety",
        "config/http/api_security_headers.py",
        "response.headers.setdefault(name, value)",
        "pass",
        ("tests/config/http/test_page_middleware.py",),
    ),
    Mutation(
        "supervisor: signals wait while it becomes another program",
        "config/stack/handover.py",
        "signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)",
        "pass",
        ("tests/config/stack/test_handover.py",),
    ),
    Mutation(
        "supervisor: the beginning of a line goes along",
        "config/stack/handover.py",
        'process.adopt(Adopted(member["pid"], member["output"]), member["rest"])',
        'process.adopt(Adopted(member["pid"], member["output"]), b"")',
        ("tests/config/stack/test_handover.py",),
    ),
)
