"""The tables of reasons: what statuses and words mean for a track. `tasks.failures` says when each is looked at.

Each row of words names where they come from, in yt-dlp 2026.10.26 unless a site is named.
"""

from __future__ import annotations

from typing import NamedTuple

from songform.errors import FailureClass

__all__ = [
    "ACCESS",
    "AGAIN",
    "BODY_TEXTS",
    "BODY_WORDS",
    "ELSEWHERE",
    "NO_ROOM",
    "OTHER_COPY",
    "REFUSED",
    "SITE_WORDS",
    "STATUSES",
    "UPGRADE",
    "Explanation",
]

AGAIN = "try again later"
OTHER_COPY = "take it out of the source, or find another copy of it"
ACCESS = "songform has no account there; take what everybody may open, or leave it out"
ELSEWHERE = "it can only be had from another country"
SLOWER = "wait an hour, then ingest fewer tracks at a time"
NO_ROOM = "free some space, mend the folder's permissions, or choose another --home"
UPGRADE = "upgrade it with `pip install -U yt-dlp`, which follows such changes within days"


class Explanation(NamedTuple):
    """What an error means for a track: its class, and the two halves of a sentence for people."""

    failure: FailureClass
    cause: str
    mend: str


# How the downloader says that it gives up: downloader/{http,fragment,common}.py and YoutubeDL.py.
BODY_TEXTS = (
    r"\[download\] Got error|Did not get any data|content too short|Giving up after|fragment \d+ not found|"
    r"unable to (write|open for writing)|Unable to (create|rename)|No suitable extractor"
)
BODY_WORDS: tuple[tuple[str, Explanation], ...] = (
    (
        r"unable to (write|open for writing)|Unable to (create|rename)|No space left|Disk quota",
        Explanation("environment", "this machine refuses ({text})", NO_ROOM),
    ),
    (
        r"No suitable extractor",
        Explanation("permanent", "no extractor of yt-dlp takes this address", "check the address"),
    ),
    (r"HTTP Error 5\d\d", Explanation("transient", "the server fails while sending it ({text})", AGAIN)),
    (r"more expected|content too short", Explanation("transient", "the connection breaks off before its end", AGAIN)),
    (r"timed out", Explanation("transient", "the server falls silent while sending it", AGAIN)),
    (r"Did not get any data", Explanation("transient", "the server sends an empty file", AGAIN)),
    (r"", Explanation("transient", "the connection breaks off ({text})", AGAIN)),
)

# What sites say through extractors. The first match wins: "blocked in your country on copyright grounds" is about the
# country, "Private video. Sign in ..." about access, "Sign in to confirm you're not a bot" about neither.
SITE_WORDS: tuple[tuple[str, FailureClass, str], ...] = (
    (  # youtube/_video.py: reasons of the player, captcha, "has been rate-limited by YouTube for up to an hour"
        r"not a bot|captcha|rate.?limit|too many requests|IP is likely being blocked|unusual traffic",
        "throttled",
        SLOWER,
    ),
    (  # YouTube: "Premieres in 3 hours", "This live event will begin in ..."; Twitch and others: "is offline"
        r"\bpremier(e|es|ing)\b|will begin|not yet started|has not started|\bupcoming\b|is (currently )?offline",
        "later",
        "ingest it again when it is over",
    ),
    (  # extractor/common.py: raise_geo_restricted; YouTube: "who has blocked it in your country on copyright grounds"
        r"geo.?restrict|(in|from|for) your (country|location|region)",
        "needs-you",
        ELSEWHERE,
    ),
    (r"confirm your age|age.?restrict|inappropriate for some", "needs-you", ACCESS),  # YouTube
    # extractor/common.py: raise_login_required; YouTube: private, for members, paid.
    (r"\bprivate\b|members?.only|channel's members|join this channel|granted (you )?access", "needs-you", ACCESS),
    (r"\b(log(ged)?|sign(ed)?).?in\b|registered users|password|authentication", "needs-you", ACCESS),
    (r"\bsubscri(be|ber|bers|ption)\b|\bpremium\b|\bpurchased?\b|requires payment", "needs-you", ACCESS),
    (r"\bDRM\b", "permanent", OTHER_COPY),  # extractor/common.py: report_drm
    # YouTube: "The page needs to be reloaded"; and what any site says of a bad day.
    (r"try again|temporar(y|ily)|needs to be reloaded|internal (server )?error", "transient", AGAIN),
    (  # YoutubeDL.py; on YouTube it mostly means that no JavaScript runtime was found (yt-dlp's wiki, page EJS)
        r"requested format is not available",
        "environment",
        "`songform doctor` says whether yt-dlp finds the JavaScript runtime that it needs",
    ),
)

STATUSES: dict[int, tuple[FailureClass, str, str]] = {
    401: ("needs-you", "it asks for a login", ACCESS),
    402: ("needs-you", "it wants to be paid", ACCESS),
    403: ("needs-you", "it refuses access from here", "check in a browser that everybody may open it"),
    404: ("permanent", "it was removed, or the address is mistyped", "check the address"),
    407: ("needs-you", "the proxy asks for a login", "check the proxy in the environment (https_proxy)"),
    408: ("transient", "the server lost patience", AGAIN),
    410: ("permanent", "it was removed for good", OTHER_COPY),
    416: ("transient", "the file changed while it was fetched", AGAIN),
    425: ("transient", "the server wants to be asked again", AGAIN),
    429: ("throttled", "too many requests came from here", SLOWER),
    451: ("needs-you", "it is withheld here for legal reasons", ELSEWHERE),
}
REFUSED: tuple[FailureClass, str, str] = ("permanent", "it refuses the request", "check the address")  # any other 4xx
