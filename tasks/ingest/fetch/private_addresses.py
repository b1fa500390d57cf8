"""Detection of addresses that are not public.

songform runs inside its user's network, where some machines respond only to clients inside: the router, a printer, a
database on this machine, the metadata service of a cloud. An untrusted playlist could name one of them, so that
songform sends requests to it (server-side request forgery). Therefore only public unicast addresses are allowed:

* IPv4: addresses that IANA's registry calls globally reachable, except multicast and broadcast;
* IPv6: the same within 2000::/3, which contains all public addresses;
* IPv6 addresses that contain an IPv4 address are checked by that address: ``::ffff:127.0.0.1`` (mapped),
  ``64:ff9b::127.0.0.1`` (NAT64), ``2002:7f00:1::`` (6to4).

References
----------
IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890); RFC 4291, 2.5.5 (mapped); RFC 6052 (NAT64);
RFC 3056 (6to4).
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

__all__ = ["literal_address", "why_not_public"]

_PUBLIC = IPv6Network("2000::/3")
_DOCUMENTATION = IPv6Network("3fff::/20")  # RFC 9637, unknown to Python 3.11
_NAT64 = IPv6Network("64:ff9b::/96")
_THIS_MACHINE = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})


def why_not_public(address: str) -> str | None:
    """Return what an address refers to if it is not public, such as `this machine`; None for a public address.

    Parameters
    ----------
    address : str
        IP address, as returned by `socket.getaddrinfo`.
    """
    ip = _carried(ip_address(address.partition("%")[0]))
    if ip.is_loopback or ip.is_unspecified:
        return "this machine"
    if ip.is_link_local:
        return "a link-local address"
    if ip.is_multicast:
        return "a multicast group"
    if isinstance(ip, IPv6Address) and ip in _PUBLIC and ip not in _DOCUMENTATION and ip.is_global:
        return None
    if isinstance(ip, IPv4Address) and ip.is_global and not ip.is_reserved:
        return None
    return "a network that is not public"


def literal_address(host: str) -> str | None:
    """Return the IP address that a host is written as, without a DNS query; None for any other host name.

    All notations of the C library are supported: ``127.1``, ``0x7f.0.0.1``, ``2130706433``, ``017700000001``. Names of
    this machine, such as ``localhost``, give ``127.0.0.1``.
    """
    name = host.strip("[]").rstrip(".").lower()
    if name in _THIS_MACHINE or name.endswith(".localhost"):
        return "127.0.0.1"
    try:
        return str(ip_address(name.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except (OSError, UnicodeError, ValueError):
        return None


def _carried(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address contains, or the address itself."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
