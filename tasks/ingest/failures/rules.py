"""The tables of reasons: what statuses and words mean for a track; `tasks.ingest.failures.classify` looks them up.

Each row of words names where they come from, in yt-dlp 2026.10.26 unless a site is named.
"""

from __future__ import annotations

from typing import NamedTuple

from songform.errors import FailureClass

__all__ = [
    "CLIENT_ERROR",
    "DOWNLOAD_ERROR_PATTERN",
    "DOWNLOAD_ERROR_RULES",
    "FAILURE_FIXES",
    "FREE_SPACE",
    "INVALID_ADDRESS_PATTERN",
    "INVALID_URL_ENDING",
    "NOT_AUDIO",
    "OPEN_IN_BROWSER",
    "OTHER_COPY",
    "OTHER_COUNTRY",
    "SERVER_ERROR",
    "SET_COOKIES",
    "SITE_MESSAGE_RULES",
    "STATUS_EXPLANATIONS",
    "TIME_UNTIL_START_PATTERN",
    "TRY_AGAIN",
    "UNIT_SECONDS",
    "UNKNOWN_FORMAT",
    "UPGRADE_YT_DLP",
    "Explanation",
    "MessageRule",
]

TRY_AGAIN = "try again later"
OTHER_COPY = "take it out of the source, or find another copy of it"
SET_COOKIES = "set download.cookies to a cookies.txt exported from a browser that is logged in there, or leave it out"
OTHER_COUNTRY = "it can only be had from another country"
OPEN_IN_BROWSER = (
    "open it in a browser; if only a login helps there, set download.cookies to a cookies.txt exported from it"
)
WAIT_FOR_HOST = "it is left alone for a while, and then asked again"
FREE_SPACE = "free some space, fix the folder's permissions, or choose another --home"
UPGRADE_YT_DLP = "upgrade it with `pip install -U yt-dlp yt-dlp-ejs`, which follows such changes within days"

FAILURE_FIXES: dict[FailureClass, str] = {
    "transient": "nothing to do: it is tried again by itself, at longer and longer intervals, at most a day",
    "throttled": "nothing to do: the site is left alone until its pause is over; fewer downloads at once help "
    "(download.host_workers, download.host_seconds), and cookies of an account against checks for robots",
    "permanent": "take it out of the source, correct its address, or put a whole copy in the place of a damaged file; "
    "`songform ingest --retry-failed` asks once more",
    "needs-you": f"{OPEN_IN_BROWSER}, then `songform ingest --retry-failed`; "
    "what is withheld in your country stays away",
    "later": "nothing to do: it is asked for again when it should have been published",
    "environment": "fix this machine (`songform doctor` says what is wrong), then ingest again",
    "bug": "upgrade yt-dlp with `pip install -U yt-dlp yt-dlp-ejs`; what still fails then is worth a report",
}


class Explanation(NamedTuple):
    """What an error means for a track: its class, and the two halves of a sentence for people.

    The last three are as for `songform.errors.TrackError`.
    """

    failure: FailureClass
    cause: str
    fix: str
    retry_after: float | None = None
    robot: bool = False
    repeated: FailureClass | None = None


class MessageRule(NamedTuple):
    """What sites say, as a regular expression, and what it means."""

    pattern: str
    failure: FailureClass
    fix: str
    robot: bool = False


# How the downloader says that it gives up: downloader/{http,fragment,common}.py and YoutubeDL.py.
DOWNLOAD_ERROR_PATTERN = (
    r"\[download\] Got error|Did not get any data|content too short|Giving up after|fragment \d+ not found|"
    r"unable to (write|open for writing)|Unable to (create|rename)|No suitable extractor"
)
DOWNLOAD_ERROR_RULES: tuple[tuple[str, Explanation], ...] = (
    (
        r"unable to (write|open for writing)|Unable to (create|rename)|No space left|Disk quota",
        Explanation("environment", "this machine refuses ({text})", FREE_SPACE),
    ),
    (
        r"No suitable extractor",
        Explanation("permanent", "no extractor of yt-dlp takes this address", "check the address"),
    ),
    (r"HTTP Error 5\d\d", Explanation("transient", "the server fails while sending it ({text})", TRY_AGAIN)),
    (
        r"more expected|content too short",
        Explanation("transient", "the connection breaks off before its end", TRY_AGAIN),
    ),
    (r"timed out", Explanation("transient", "the server falls silent while sending it", TRY_AGAIN)),
    (r"Did not get any data", Explanation("transient", "the server sends an empty file", TRY_AGAIN)),
    (r"", Explanation("transient", "the connection breaks off ({text})", TRY_AGAIN)),
)

# A page that calls itself audio ends with its reason; a broken file stays broken.
NOT_AUDIO = Explanation("transient", "what the server sent is no audio, perhaps an error page", TRY_AGAIN)
UNKNOWN_FORMAT = Explanation(
    "transient", "what the server sent is no audio that ffmpeg knows", TRY_AGAIN, repeated="permanent"
)

# What sites say through extractors. The first match wins: "blocked in your country on copyright grounds" is about the
# country, "Private video. Sign in ..." about access, "Sign in to confirm you're not a bot" about neither.
SITE_MESSAGE_RULES: tuple[MessageRule, ...] = (
    # youtube/_video.py: reasons of the player, captcha, "has been rate-limited by YouTube for up to an hour"
    MessageRule(
        r"not a (ro)?bot|captcha|rate.?limited by YouTube|IP is likely being blocked|unusual traffic",
        "throttled",
        WAIT_FOR_HOST,
        robot=True,
    ),
    # bilibili.py, damtomo.py, instagram.py, soundcloud.py
    MessageRule(r"rate.?limit|too many requests", "throttled", WAIT_FOR_HOST),
    # YouTube: "Premieres in 3 hours", "This live event will begin in ..."; Twitch and others: "is offline"
    MessageRule(
        r"\bpremier(e|es|ing)\b|will begin|not yet started|has not started|\bupcoming\b|is (currently )?offline",
        "later",
        "ingest it again when it is over",
    ),
    MessageRule(  # extractor/common.py: raise_geo_restricted; YouTube: "who has blocked it in your country on ..."
        r"geo.?restrict|(in|from|for) your (country|location|region)", "needs-you", OTHER_COUNTRY
    ),
    MessageRule(r"confirm your age|age.?restrict|inappropriate for some", "needs-you", SET_COOKIES),  # YouTube
    # extractor/common.py: raise_login_required; YouTube: private, for members, paid.
    MessageRule(
        r"\bprivate\b|members?.only|channel's members|join this channel|granted (you )?access", "needs-you", SET_COOKIES
    ),
    MessageRule(r"\b(log(ged)?|sign(ed)?).?in\b|registered users|password|authentication", "needs-you", SET_COOKIES),
    MessageRule(
        r"\bsubscri(be|ber|bers|ption)\b|\bpremium\b|\bpurchased?\b|requires payment", "needs-you", SET_COOKIES
    ),
    MessageRule(r"\bDRM\b", "permanent", OTHER_COPY),  # extractor/common.py: report_drm
    # YouTube: "The page needs to be reloaded"; and what any site says of a bad day.
    MessageRule(r"try again|temporar(y|ily)|needs to be reloaded|internal (server )?error", "transient", TRY_AGAIN),
    # YoutubeDL.py; on YouTube it mostly means that no JavaScript runtime was found (yt-dlp's wiki, page EJS)
    MessageRule(
        r"requested format is not available",
        "environment",
        "`songform doctor` says whether yt-dlp finds the JavaScript runtime that it needs",
    ),
)
# urllib.parse: an address that cannot be taken apart. encodings.idna: a host with an empty part, or an endless one.
INVALID_ADDRESS_PATTERN = r"Invalid IPv6 URL|NFKC normalization|^Port (could not|out of)|'idna' codec"
INVALID_URL_ENDING = "is not a valid URL"  # generic.py
# "Premieres in 3 hours", "will begin in 5 days": seconds of each unit.
TIME_UNTIL_START_PATTERN = r"\bin (\d+|an?) (minute|hour|day)s?\b"
UNIT_SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}

STATUS_EXPLANATIONS: dict[int, Explanation] = {
    401: Explanation("needs-you", "it asks for a login", SET_COOKIES),
    402: Explanation("needs-you", "it wants to be paid", SET_COOKIES),
    # Mostly an address that expired, which another attempt reads anew; else it is about this machine, or about a login.
    403: Explanation("transient", "it refuses access from here", OPEN_IN_BROWSER, repeated="needs-you"),
    404: Explanation("permanent", "it was removed, or the address is mistyped", "check the address"),
    407: Explanation("needs-you", "the proxy asks for a login", "check the proxy in the environment (https_proxy)"),
    408: Explanation("transient", "the server lost patience", TRY_AGAIN),
    410: Explanation("permanent", "it was removed for good", OTHER_COPY),
    416: Explanation("transient", "the file changed while it was fetched", TRY_AGAIN),
    425: Explanation("transient", "the server wants to be asked again", TRY_AGAIN),
    429: Explanation("throttled", "too many requests came from here", WAIT_FOR_HOST),
    451: Explanation("needs-you", "it is withheld here for legal reasons", OTHER_COUNTRY),
}
CLIENT_ERROR = Explanation("permanent", "it refuses the request", "check the address")  # any other 4xx
SERVER_ERROR = Explanation("transient", "a failure of its own", TRY_AGAIN)  # any 5xx
