"""Detection of public and private addresses in all notations."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.fetch.private_addresses import literal_address, why_not_public

HERE, LINK, MANY, INSIDE = "this machine", "a link-local address", "a multicast group", "a network that is"


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "93.184.215.14", "172.15.0.1", "172.32.0.1", "192.167.1.1", "2620:fe::fe", "2a00:1450::1"),
        *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"),
    ],
)
def test_public_addresses_are_allowed(address):
    assert why_not_public(address) is None


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("127.0.0.1", HERE),
        ("127.8.9.1", HERE),
        ("0.0.0.0", HERE),
        ("::1", HERE),
        ("::", HERE),
        ("169.254.169.254", LINK),  # metadata service of clouds
        ("fe80::1%eth0", LINK),
        ("224.0.0.1", MANY),
        ("ff02::1", MANY),
        ("10.0.0.1", INSIDE),
        ("172.16.0.1", INSIDE),
        ("192.168.1.1", INSIDE),
        ("100.64.0.1", INSIDE),  # shared by the customers of a provider
        ("0.1.2.3", INSIDE),
        ("192.0.2.1", INSIDE),
        ("198.18.0.1", INSIDE),
        ("240.0.0.1", INSIDE),
        ("255.255.255.255", INSIDE),
        ("fc00::1", INSIDE),
        ("fec0::1", INSIDE),
        ("2001:db8::1", INSIDE),
        ("2001::1", INSIDE),  # Teredo
        ("3fff::1", INSIDE),
        ("5f00::1", INSIDE),
        ("64:ff9b:1::1", INSIDE),
        ("::127.0.0.1", INSIDE),
        ("::ffff:127.0.0.1", HERE),
        ("::ffff:169.254.169.254", LINK),
        ("64:ff9b::127.0.0.1", HERE),
        ("64:ff9b::10.0.0.1", INSIDE),
        ("2002:7f00:1::", HERE),
        ("2002:c0a8:101::1", INSIDE),
    ],
)
def test_other_addresses_are_described(address, where):
    assert (why_not_public(address) or "").startswith(where)


@given(st.ip_addresses(v=4))
def test_ipv4_address_within_an_ipv6_address_is_judged_like_the_ipv4_address(address):
    carried = (0xFFFF << 32 | int(address), 0x64FF9B << 96 | int(address), 0x2002 << 112 | int(address) << 80)
    verdicts = {why_not_public(str(IPv6Address(number))) for number in carried}
    assert verdicts == {why_not_public(str(address))}


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001", "127.0.0.1."),
        *("LocalHost", "localhost.", "a.localhost", "localhost.localdomain"),
    ],
)
def test_all_spellings_of_this_machine_are_recognized(host):
    assert literal_address(host) == "127.0.0.1"


def test_other_literals_and_names():
    mapped = literal_address("[::ffff:10.0.0.1]")  # Python 3.13 uses another notation
    assert IPv6Address(mapped) == IPv6Address("::ffff:a00:1")
    assert literal_address("[fe80::1%25eth0]") == "fe80::1"
    assert literal_address("010.0.0.1") == "8.0.0.1"
    for name in ("example.org", "localhost.example.org", "1.2.3.4.5", "", "ä.example"):
        assert literal_address(name) is None


@given(st.ip_addresses(v=4))
def test_decimal_number_is_recognized_as_its_address(address: IPv4Address):
    assert literal_address(str(int(address))) == str(address)
