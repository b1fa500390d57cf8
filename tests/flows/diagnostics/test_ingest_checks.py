"""Tests of the checks of cookies and playlists, which use no network."""

from __future__ import annotations

import socket

import pytest

from flows.diagnostics.ingest_checks import Check, check_cookies, check_playlists
from tasks.settings import Settings

LATER, EARLIER = 4_000_000_000, 1_000_000_000


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Make DNS queries and connections raise an error."""
    monkeypatch.setattr(socket, "getaddrinfo", None)
    monkeypatch.setattr(socket.socket, "connect", None)


def cookie(expiry=LATER, value="secret"):
    return f"a.example\tFALSE\t/\tTRUE\t{expiry}\tsession\t{value}\n"


@pytest.fixture
def cookies(tmp_path):
    """Return a function that writes a cookies file and checks it."""

    def look(content, mode=0o600, name="cookies.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path, check_cookies(Settings.model_validate({"download": {"cookies": str(path)}}))

    return look


def test_valid_cookies_are_counted_and_not_shown(cookies):
    path, check = cookies(cookie() + cookie("") + cookie(0) + cookie(EARLIER))
    assert (check.level, check.finding, check.mend) == ("ok", f"{path}: 4 cookies, 1 of them expired", "")
    assert check_cookies(Settings()).level == "ok"


@pytest.mark.parametrize(
    ("content", "level", "finding", "mend"),
    [
        (b"", "failure", "no cookies", "browser"),
        ("# Netscape HTTP Cookie File\n\n", "failure", "no cookies", "browser"),
        ('[{"name": "session", "value": "secret"}]', "failure", "line 1", "Netscape"),
        (b"\xff\xfe\x00", "failure", "text", "browser"),
        (cookie(EARLIER), "warning", "1 cookie, 1 of them expired", "browser"),
    ],
)
def test_unusable_cookies_are_reported_without_their_values(content, level, finding, mend, cookies):
    path, check = cookies(content)
    assert check.level == level
    assert check.finding.startswith(f"{path}: ")
    assert finding in check.finding
    assert check.mend.startswith("export ")
    assert mend in check.mend
    assert "secret" not in f"{check.finding}{check.mend}"


@pytest.mark.parametrize(
    ("mode", "level"), [(0o600, "ok"), (0o400, "ok"), (0o640, "ok"), (0o644, "warning"), (0o602, "warning")]
)
def test_cookies_that_others_can_access_are_a_warning(mode, level, cookies):
    path, check = cookies(cookie(), mode)
    assert check.level == level
    assert (check.mend == f"chmod 600 {path}") == (level == "warning")


def test_missing_cookies_file_is_reported_with_its_path(tmp_path):
    check = check_cookies(Settings.model_validate({"download": {"cookies": str(tmp_path / "none.txt")}}))
    assert check.level == "failure"
    assert check.finding.startswith(f"{tmp_path / 'none.txt'}: ")
    assert "cannot be read (No such file or directory)" in check.finding
    assert check_cookies(Settings.model_validate({"download": {"cookies": str(tmp_path)}})).level == "failure"


def test_relative_path_of_cookies_is_a_warning(cookies, tmp_path, monkeypatch):
    cookies(cookie())
    monkeypatch.chdir(tmp_path)
    check = check_cookies(Settings.model_validate({"download": {"cookies": "cookies.txt"}}))
    assert check.level == "warning"
    assert "relative" in check.finding
    assert "absolute path" in check.mend


def playlists(*entries, **download):
    entries = [entry if isinstance(entry, dict) else {"url": entry} for entry in entries]
    return check_playlists(Settings.model_validate({"playlists": entries, "download": download}))


def test_valid_playlists_are_ok(tmp_path):
    assert playlists().finding.startswith("none; ")
    check = playlists(" https://a.example/feed ", "HTTP://[2606:2800:21f::1]:8080/", str(tmp_path))
    assert (check.level, check.finding) == ("ok", "3, all with valid addresses and times")


@pytest.mark.parametrize(
    ("url", "what", "mend"),
    [
        ("http://[::1", "not a valid address (Invalid IPv6 URL)", "correct the address"),
        (
            "http://a.example:port/",
            "not a valid address (Port could not be cast to integer value as 'port')",
            "correct the address",
        ),
        ("https:///feed", "has no host", "correct the address"),
        ("feed://a.example/feed", "feed:// is not supported", "http or https"),
        ("http://127.0.0.1:8000/feed", "points to this machine", "download.allow_private = true"),
        ("http://localhost/feed", "points to this machine", "download.allow_private = true"),
        ("http://0x7f.1/feed", "points to this machine", "download.allow_private = true"),
        ("http://192.168.1.4/feed", "network that is not public", "download.allow_private = true"),
        ("/nowhere/at/all", "neither an address nor an existing path", "check its spelling"),
        ("a.example/feed", "neither an address nor an existing path", "begin it with https://"),
    ],
)
def test_invalid_playlist_is_reported_with_a_fix(url, what, mend):
    check = playlists("https://a.example/feed", url)
    assert check.level == "failure"
    assert check.finding.startswith(f"entry 2 ({url}): ")
    assert check.finding.endswith(what)
    assert mend in check.mend


def test_private_playlist_is_ok_if_private_addresses_are_allowed():
    assert playlists("http://127.0.0.1:8000/feed", allow_private=True).level == "ok"


def test_invalid_times_are_reported_with_their_entries():
    bad = {"url": "https://a.example/feed", "every": "60 6 * * *", "timezone": "Europe/Berlln"}
    check = playlists("https://b.example/feed", bad, "http://[::1")
    assert check.level == "failure"
    assert check.finding == (
        "entry 2 (https://a.example/feed): '60 6 * * *': bad minute; "
        "entry 2 (https://a.example/feed): 'Europe/Berlln': unknown time zone; "
        "entry 3 (http://[::1): it is not a valid address (Invalid IPv6 URL)"
    )
    times, timezone, address = check.mend.split("; ")
    assert "0 6 * * *" in times
    assert (timezone, address) == ("did you mean Europe/Berlin?", "correct the address")


@pytest.mark.parametrize(("level", "is_well"), [("ok", True), ("warning", True), ("failure", False)])
def test_only_a_failure_is_not_well(level, is_well):
    expected = {"name": "x", "level": level, "is_well": is_well, "finding": "y", "mend": "z"}
    assert Check("x", level, "y", "z").document() == expected
