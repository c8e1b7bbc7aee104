"""TCP connections to where a configuration says, unless that is inside: looked at where they really lead."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from alerts.errors import PrivateAddressError, TargetError

_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv6 addresses of IPv4 ones, which are their last 32 bits."""


def is_public(address: str) -> bool:
    """Whether an IP address is of the Internet at large: not private, loopback, link-local, multicast or reserved.

    Args:
        address: An IPv4 or IPv6 address. An IPv4 address within an IPv6 one is what counts.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast
    inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip.ipv4_mapped or ip.sixtofour
    if inner is not None:
        return is_public(str(inner))
    return ip in _UNICAST and ip.is_global


def dial(host: str, port: int, seconds: float, *, allow_private: bool) -> socket.socket:
    """A connection to the first address of the host that answers. A name is looked up once: what it led to is tried.

    Args:
        host: Name or address.
        port: Its port.
        seconds: For all attempts together.
        allow_private: Also to addresses that are not public.

    Raises:
        PrivateAddressError: none of its addresses is public.
        OSError: the name is unknown, or nobody answers.
    """
    end = time.monotonic() + seconds
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [entry for entry in found if allow_private or is_public(str(entry[4][0]))]
    if not allowed:
        raise PrivateAddressError("leads to a private address; allow_private lets it")
    failure: OSError = TimeoutError("timed out")
    for family, kind, protocol, _, address in allowed:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(max(0.001, end - time.monotonic()))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


@contextmanager
def cut_after(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Cuts the connection then, whatever comes over it: a limit for all of it, not only for every byte."""
    same = connection.dup()  # TLS takes the connection over; this one stays ours
    timer = threading.Timer(seconds, partial(_cut, same))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        same.close()


def tls_context(who: str, ca_file: Path | None) -> ssl.SSLContext:
    """TLS that believes the system's authorities.

    Args:
        who: Whose it is, for the error.
        ca_file: Certificates of other authorities, PEM; they are believed instead.

    Raises:
        TargetError: the file is missing or holds no certificates.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # also ssl.SSLError
        said = (
            "no certificates in it" if isinstance(error, ssl.SSLError) else (error.strerror or "cannot be read").lower()
        )
        raise TargetError(f"{who}: ca_file {ca_file}: {said}; name a PEM file") from None


def said_of(error: BaseException) -> str:
    """What failed on the way, in words, without what an answer held."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {(error.reason or 'refused').replace('_', ' ').lower()}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "hung up, or no HTTP"


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        connection.shutdown(socket.SHUT_RDWR)
