"""Why there is no connection to a provider, in a sentence with the next step; pure."""

import errno
import socket
import ssl

from embeddings.providers import embedder_identity

_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNEXPECTED_MESSAGE")
_NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL)
_MOST_CAUSES = 10


def reason(error: BaseException) -> str:
    """Follows the server's name in a sentence. The causes of `error` decide, not its words."""
    for cause in _causes(error):
        if isinstance(cause, embedder_identity.Unreachable):
            return str(cause)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause)
        if isinstance(cause, ssl.SSLError):
            return _no_tls(cause)
        if isinstance(cause, socket.gaierror):
            return "has no address: check the name in the address, and that this machine can look names up"
        if isinstance(cause, OSError):
            return _unreachable(cause)
    return "refuses connections"


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(found) < _MOST_CAUSES:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    said = error.verify_message or "not valid"
    if error.verify_code in _OTHER_NAME:
        return f"shows a certificate for another name ({said}): use the name that is in its certificate"
    if error.verify_code in _OUT_OF_TIME:
        return f"shows a certificate that is out of date ({said}): renew it, and check this machine's clock"
    return (
        f"shows a certificate that is not trusted ({said}): set EMBEDDING_CA_FILE to the PEM file of the authority "
        "that signed it"
    )


# X509_V_ERR_… of OpenSSL's x509_vfy.h: host name, e-mail and address mismatch; not yet valid, expired
_OTHER_NAME = (62, 63, 64)
_OUT_OF_TIME = (9, 10)


def _no_tls(error: ssl.SSLError) -> str:
    code = getattr(error, "reason", None) or "no reason given"
    if code in _NOT_TLS:
        return "does not speak TLS on this port: write http:// in the address, or correct the port"
    return f"ends the TLS handshake ({code}): check its TLS versions and certificates"


def _unreachable(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return "refuses connections: start it, or check the address"
    if error.errno in _NO_WAY:
        return f"cannot be reached ({error.strerror}): check the address and the network"
    return f"refuses connections ({error.strerror or type(error).__name__})"
