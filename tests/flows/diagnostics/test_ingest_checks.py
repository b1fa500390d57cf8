"""What a user gave for ingestion is looked at before it matters, and nobody is asked for that."""

from __future__ import annotations

import socket

import pytest

from flows.diagnostics.ingest_checks import Check, check_cookies, check_playlists
from tasks.settings import Settings

LATER, EARLIER = 4_000_000_000, 1_000_000_000


@pytest.fixture(autouse=True)
def _nobody_is_asked(monkeypatch):
    """Make it a defect to look a name up, or to connect."""
    monkeypatch.setattr(socket, "getaddrinfo", None)
    monkeypatch.setattr(socket.socket, "connect", None)


def cookie(expiry=LATER, value="secret"):
    return f"a.example\tFALSE\t/\tTRUE\t{expiry}\tsession\t{value}\n"


@pytest.fixture
def cookies(tmp_path):
    """Write a file of cookies, and look at it."""

    def look(content, mode=0o600, name="cookies.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path, check_cookies(Settings.model_validate({"download": {"cookies": str(path)}}))

    return look


def test_cookies_in_order_are_counted_and_not_shown(cookies):
    path, check = cookies(cookie() + cookie("") + cookie(0) + cookie(EARLIER))
    assert (check.level, check.finding, check.mend) == ("ok", f"{path}: 4 cookies, 1 of them expired", "")
    assert check_cookies(Settings()).level == "ok"


@pytest.mark.parametrize(
    ("content", "level", "finding", "mend"),
    [
        (b"", "failure", ", in which there are no cookies", "export it anew"),
        ("# Netscape HTTP Cookie File\n\n", "failure", ", in which there are no cookies", "export it anew"),
        (
            '[{"name": "session", "value": "secret"}]',
            "failure",
            ", whose line 1 is no cookie in Netscape's format",
            "export it",
        ),
        (b"\xff\xfe\x00", "failure", ", which is no text", "export it anew"),
        (
            cookie(EARLIER),
            "warning",
            ": 1 cookie, 1 of them expired",
            "export it anew from a browser that is logged in there",
        ),
    ],
)
def test_cookies_that_no_site_would_be_shown_are_told(content, level, finding, mend, cookies):
    path, check = cookies(content)
    assert (check.level, check.finding) == (level, f"{path}{finding}")
    assert check.mend.startswith(mend)
    assert "secret" not in f"{check.finding}{check.mend}"


@pytest.mark.parametrize(
    ("mode", "level"), [(0o600, "ok"), (0o400, "ok"), (0o640, "ok"), (0o644, "warning"), (0o602, "warning")]
)
def test_cookies_that_everybody_can_read_are_told(mode, level, cookies):
    path, check = cookies(cookie(), mode)
    assert check.level == level
    assert (check.mend == f"chmod 600 {path}") == (level == "warning")


def test_cookies_that_are_not_there_are_named(tmp_path):
    check = check_cookies(Settings.model_validate({"download": {"cookies": str(tmp_path / "none.txt")}}))
    assert (check.level, check.finding) == (
        "failure",
        f"{tmp_path / 'none.txt'}, which cannot be read (No such file or directory)",
    )
    assert check_cookies(Settings.model_validate({"download": {"cookies": str(tmp_path)}})).level == "failure"


def test_cookies_that_depend_on_the_working_folder_are_told(cookies, tmp_path, monkeypatch):
    cookies(cookie())
    monkeypatch.chdir(tmp_path)
    check = check_cookies(Settings.model_validate({"download": {"cookies": "cookies.txt"}}))
    assert (check.level, check.mend) == ("warning", "name it whole")


def playlists(*entries, **download):
    entries = [entry if isinstance(entry, dict) else {"url": entry} for entry in entries]
    return check_playlists(Settings.model_validate({"playlists": entries, "download": download}))


def test_playlists_that_can_be_asked_for_are_well(tmp_path):
    assert playlists().finding == "none; songform.toml may list some for songform schedule"
    check = playlists(" https://a.example/feed ", "HTTP://[2606:2800:21f::1]:8080/", str(tmp_path))
    assert (check.level, check.finding) == ("ok", "3, of which each can be asked for")


@pytest.mark.parametrize(
    ("url", "what", "mend"),
    [
        ("http://[::1", "it is no address (Invalid IPv6 URL)", "correct it"),
        (
            "http://a.example:port/",
            "it is no address (Port could not be cast to integer value as 'port')",
            "correct it",
        ),
        ("https:///feed", "it names no host", "correct it"),
        ("feed://a.example/feed", "feed:// is not read", "give an http or https address, or a path"),
        ("http://127.0.0.1:8000/feed", "it leads to this machine", "if it is yours, set download.allow_private = true"),
        ("http://localhost/feed", "it leads to this machine", "if it is yours, set download.allow_private = true"),
        ("http://0x7f.1/feed", "it leads to this machine", "if it is yours, set download.allow_private = true"),
        (
            "http://192.168.1.4/feed",
            "it leads to a network that is not public",
            "if it is yours, set download.allow_private = true",
        ),
        ("/nowhere/at/all", "it is neither an address nor there", "check its spelling"),
        ("a.example/feed", "it is neither an address nor there", "if it is an address, begin it with https://"),
    ],
)
def test_a_playlist_that_cannot_be_asked_for_is_told_with_its_mend(url, what, mend):
    check = playlists("https://a.example/feed", url)
    assert (check.level, check.finding, check.mend) == ("failure", f"entry 2 ({url}): {what}", mend)


def test_a_private_playlist_is_well_if_that_is_allowed():
    assert playlists("http://127.0.0.1:8000/feed", allow_private=True).level == "ok"


def test_times_that_cannot_be_are_told_with_their_entries():
    bad = {"url": "https://a.example/feed", "every": "60 6 * * *", "timezone": "Europe/Berlln"}
    check = playlists("https://b.example/feed", bad, "http://[::1")
    assert check.level == "failure"
    assert check.finding == (
        "entry 2 (https://a.example/feed): '60 6 * * *': bad minute; "
        "entry 2 (https://a.example/feed): 'Europe/Berlln': there is no such time zone; "
        "entry 3 (http://[::1): it is no address (Invalid IPv6 URL)"
    )
    assert check.mend == (
        "write minute, hour, day, month and weekday: 0 6 * * * is every day at six; "
        "did you mean Europe/Berlin?; correct it"
    )


@pytest.mark.parametrize(("level", "is_well"), [("ok", True), ("warning", True), ("failure", False)])
def test_songform_can_work_with_all_but_a_failure_and_the_document_says_both(level, is_well):
    expected = {"name": "x", "level": level, "is_well": is_well, "finding": "y", "mend": "z"}
    assert Check("x", level, "y", "z").document() == expected
