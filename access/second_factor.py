"""A second factor for people who sign in: a TOTP app (RFC 6238) and ten recovery codes, kept by django-otp.

django-otp refuses a code that was used, and waits ever longer after wrong ones; access/attempts.py counts them as well.
"""

import base64
import re
import secrets
import time

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django_otp import login as verify_session
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from access import attempts, sessions, signals
from access.attempts import TooManyAttempts, address_of

RECOVERY_CODES = 10
PROXY_BACKEND = "access.backends.ProxyUserBackend"
_PENDING = "second_factor_pending"
PENDING_SECONDS = 300
_CODE = re.compile(r"[0-9]{6}")
_RECOVERY_CODE = re.compile(r"[a-z2-7]{12}")


def has_device(user: User | AnonymousUser) -> bool:
    """Whether a code is asked of this person."""
    return user.is_authenticated and TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def is_satisfied(request: HttpRequest) -> bool:
    """Whether this session satisfies its person's second factor and the setting. A sign-in through a
    proxy (PROXY_USER_HEADER) was asked by the identity provider."""
    known = vars(request)
    if "is_second_factor_satisfied" not in known:
        known["is_second_factor_satisfied"] = _is_satisfied(request)
    return bool(known["is_second_factor_satisfied"])


def _is_satisfied(request: HttpRequest) -> bool:
    user = request.user
    if not user.is_authenticated:
        return False
    if request.session.get(BACKEND_SESSION_KEY) == PROXY_BACKEND or getattr(user, "otp_device", None):
        return True
    is_required = user.is_staff and settings.STAFF_SECOND_FACTOR == "required"
    return not is_required and not has_device(user)


def start(user: User) -> TOTPDevice:
    """A new key that counts once `confirm` has seen a code of it; a key that was never confirmed is dropped."""
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user, confirmed=False).delete()
        return TOTPDevice.objects.create(user=user, name="authenticator app", confirmed=False)


def unconfirmed(user: User) -> TOTPDevice | None:
    """The key that waits for its first code."""
    return TOTPDevice.objects.filter(user=user, confirmed=False).order_by("-pk").first()


def confirm(request: HttpRequest, user: User, code: str) -> list[str] | None:
    """Turns the second factor on where the code fits the new key, and this session with it; recovery codes, or None
    for a wrong code. Raises TooManyAttempts."""
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).last()
        if device is None or not _fits(device, _compact(code), user, address_of(request)):
            return None
        TOTPDevice.objects.filter(user=user, confirmed=True).delete()
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        codes = _replace_codes(user)
    verify_session(request, device)
    vars(request).pop("is_second_factor_satisfied", None)
    _announce(request, user, "added")
    return codes


def verify(user: User, code: str, address: str) -> Device | None:
    """The device that a code is of, which is used up with it; None for a wrong one. Raises TooManyAttempts."""
    compact = _compact(code)
    model = StaticDevice if _RECOVERY_CODE.fullmatch(compact) else TOTPDevice
    with transaction.atomic():
        device = model.objects.select_for_update().filter(user=user, confirmed=True).first()
        if device is None or not _fits(device, compact, user, address):
            return None
    if model is StaticDevice:
        signals.second_factor_changed.send(
            None, name=user.get_username(), address=address, change="recovery code used", whose="", reason=""
        )
    return device


def renew_codes(request: HttpRequest, user: User) -> list[str]:
    """Ten new recovery codes; the old ones end."""
    codes = _replace_codes(user)
    _announce(request, user, "recovery codes replaced")
    return codes


def codes_left(user: User) -> int:
    """The number of unused recovery codes."""
    count: int = StaticDevice.objects.filter(user=user, token_set__isnull=False).count()
    return count


def remove(user: User, *, name: str, address: str = "", reason: str = "") -> bool:
    """Takes the second factor away, unconfirmed keys too; `name` is who does it. False where there was none."""
    with transaction.atomic():
        had: bool = TOTPDevice.objects.filter(user=user, confirmed=True).exists()
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
    if had:
        signals.second_factor_changed.send(
            None, name=name, address=address, change="removed", whose=user.get_username(), reason=reason
        )
    return had


def hold(request: HttpRequest, user: User, next_url: str) -> None:
    """Stores in the session for five minutes that the password was correct; this signs no one in.

    It is announced, and sessions that have ended are removed by the way: who has the password alone leaves a trace, and
    no heap of rows."""
    request.session.cycle_key()
    request.session.set_expiry(PENDING_SECONDS)
    request.session[_PENDING] = {
        "user": user.pk,
        "hash": user.get_session_auth_hash(),
        "until": time.time() + PENDING_SECONDS,
        "next": next_url,
    }
    sessions.remove_ended()
    signals.code_asked.send(None, name=user.get_username(), address=address_of(request))


def held(request: HttpRequest) -> tuple[User, str] | None:
    """Whose password was right in this session, and where they want to go."""
    pending = request.session.get(_PENDING)
    if not pending or pending["until"] < time.time():
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True).first()
    if user is None or not secrets.compare_digest(user.get_session_auth_hash(), pending["hash"]):
        return None
    return user, pending["next"]


def release(request: HttpRequest) -> None:
    """Forgets what `hold` kept."""
    request.session.pop(_PENDING, None)


def _compact(code: str) -> str:
    return "".join(code[:64].replace("-", " ").split()).lower()


def _fits(device: TOTPDevice | StaticDevice, code: str, user: User, address: str) -> bool:
    """Whether the code is right, counted by the guard. A wrong one must not roll back what django-otp counts, so it is
    no exception."""
    _forgive_clock(device)
    allowed, reason = device.verify_is_allowed()
    if not allowed:
        ends = (reason or {}).get("locked_until", timezone.now())
        raise TooManyAttempts((ends - timezone.now()).total_seconds())
    attempt = attempts.begin(attempts.CODE, user.get_username(), address)
    token = _kept(user, code) if isinstance(device, StaticDevice) else code
    is_code = isinstance(device, StaticDevice) or _CODE.fullmatch(code)
    if is_code and device.verify_token(token):
        attempt.succeeded()
        return True
    attempt.failed()
    return False


def _forgive_clock(device: TOTPDevice | StaticDevice) -> None:
    """A failure noted ahead of now, by a clock that has stepped back since, would lock the device out until then."""
    if (failed_at := device.throttling_failure_timestamp) and failed_at > timezone.now():
        device.throttling_failure_timestamp = timezone.now()
        device.save(update_fields=["throttling_failure_timestamp"])


def _replace_codes(user: User) -> list[str]:
    codes = [base64.b32encode(secrets.token_bytes(8)).decode().lower()[:12] for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        StaticDevice.objects.filter(user=user).delete()
        device = StaticDevice.objects.create(user=user, name="recovery codes")
        for code in codes:
            device.token_set.create(token=_kept(user, code))
    return [f"{code[:4]}-{code[4:8]}-{code[8:]}" for code in codes]


def _kept(user: User, code: str) -> str:
    """The stored form of a recovery code: 80 bits of an HMAC under SECRET_KEY, as long as django-otp's column
    allows. A code has 60 random bits."""
    digest = salted_hmac(f"access.recovery_code.{user.pk}", code, algorithm="sha256").digest()
    return base64.b32encode(digest[:10]).decode().lower()


def _announce(request: HttpRequest, user: User, change: str) -> None:
    signals.second_factor_changed.send(
        None, name=user.get_username(), address=address_of(request), change=change, whose="", reason=""
    )
