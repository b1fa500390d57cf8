"""Tables that map HTTP statuses and messages of yt-dlp to failure classes, causes and fixes.

Comments name the origin of each pattern: a module of yt-dlp 2026.10.26, or a site.
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
OTHER_COPY = "remove it from the source, or find another copy of it"
SET_COOKIES = (
    "set download.cookies to a cookies.txt exported from a browser that is logged in to the site, "
    "or remove this address from the source"
)
OTHER_COUNTRY = "it is available only in other countries; find another copy of it, or remove it from the source"
OPEN_IN_BROWSER = (
    "open it in a browser; if it requires a login there, "
    "set download.cookies to a cookies.txt exported from that browser"
)
WAIT_FOR_HOST = "songform pauses requests to this site and then continues automatically"
FREE_SPACE = "free some disk space, fix the folder's permissions, or choose another --home"
UPGRADE_YT_DLP = (
    "upgrade yt-dlp with `pip install -U yt-dlp yt-dlp-ejs`; new releases usually follow such changes within days"
)

FAILURE_FIXES: dict[FailureClass, str] = {
    "transient": "nothing to do: it is retried automatically, at growing intervals of at most a day",
    "throttled": "nothing to do: it is retried automatically after the site's pause; to be throttled less often, "
    "download more slowly (download.host_workers, download.host_seconds), and set download.cookies "
    "if the site suspects an automated client",
    "permanent": "remove it from the source, correct its address, or replace a damaged file with an intact copy; "
    "`songform ingest --retry-failed` tries once more",
    "needs-you": f"{OPEN_IN_BROWSER}, then run `songform ingest --retry-failed`; "
    "content that is blocked in your country stays unavailable",
    "later": "nothing to do: it is retried automatically at its expected time of publication",
    "environment": "fix this machine (`songform doctor` reports what is wrong), then run `songform ingest` again",
    "bug": "upgrade yt-dlp with `pip install -U yt-dlp yt-dlp-ejs`; if it still fails, please report it",
}


class Explanation(NamedTuple):
    """Explanation of an error: its failure class, its cause, and how to fix it.

    `retry_after`, `robot` and `repeated` are the parameters of `songform.errors.TrackError`.
    """

    failure: FailureClass
    cause: str
    fix: str
    retry_after: float | None = None
    robot: bool = False
    repeated: FailureClass | None = None


class MessageRule(NamedTuple):
    """Regular expression for messages of sites, with the failure class and the fix."""

    pattern: str
    failure: FailureClass
    fix: str
    robot: bool = False


# Messages of the downloader when it gives up: downloader/{http,fragment,common}.py and YoutubeDL.py.
DOWNLOAD_ERROR_PATTERN = (
    r"\[download\] Got error|Did not get any data|content too short|Giving up after|fragment \d+ not found|"
    r"unable to (write|open for writing)|Unable to (create|rename)|No suitable extractor"
)
DOWNLOAD_ERROR_RULES: tuple[tuple[str, Explanation], ...] = (
    (
        r"unable to (write|open for writing)|Unable to (create|rename)|No space left|Disk quota",
        Explanation("environment", "the file cannot be written to disk ({text})", FREE_SPACE),
    ),
    (
        r"No suitable extractor",
        Explanation("permanent", "yt-dlp has no extractor for this address", "check the address"),
    ),
    (r"HTTP Error 5\d\d", Explanation("transient", "the server failed during the download ({text})", TRY_AGAIN)),
    (
        r"more expected|content too short",
        Explanation("transient", "the connection was lost before the end of the file", TRY_AGAIN),
    ),
    (r"timed out", Explanation("transient", "the server stopped sending data during the download", TRY_AGAIN)),
    (r"Did not get any data", Explanation("transient", "the server sent an empty file", TRY_AGAIN)),
    (r"", Explanation("transient", "the connection was lost ({text})", TRY_AGAIN)),
)

# An error page in place of audio is a temporary failure of the server. A broken file stays broken.
NOT_AUDIO = Explanation("transient", "the server sent a file that is not audio, perhaps an error page", TRY_AGAIN)
UNKNOWN_FORMAT = Explanation(
    "transient", "the server sent a file in which ffmpeg finds no audio", TRY_AGAIN, repeated="permanent"
)

# Messages of sites, as extractors report them. The first match counts: "blocked in your country on copyright grounds"
# is about the country, "Private video. Sign in ..." is about access, and "Sign in to confirm you're not a bot" is about
# neither.
SITE_MESSAGE_RULES: tuple[MessageRule, ...] = (
    # youtube/_video.py: messages of the player, captcha, "has been rate-limited by YouTube for up to an hour"
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
    # extractor/common.py: raise_login_required; YouTube: private, for members only, paid.
    MessageRule(
        r"\bprivate\b|members?.only|channel's members|join this channel|granted (you )?access", "needs-you", SET_COOKIES
    ),
    MessageRule(r"\b(log(ged)?|sign(ed)?).?in\b|registered users|password|authentication", "needs-you", SET_COOKIES),
    MessageRule(
        r"\bsubscri(be|ber|bers|ption)\b|\bpremium\b|\bpurchased?\b|requires payment", "needs-you", SET_COOKIES
    ),
    MessageRule(r"\bDRM\b", "permanent", OTHER_COPY),  # extractor/common.py: report_drm
    # YouTube: "The page needs to be reloaded"; any site: temporary failures.
    MessageRule(r"try again|temporar(y|ily)|needs to be reloaded|internal (server )?error", "transient", TRY_AGAIN),
    # YoutubeDL.py; on YouTube this usually means that no JavaScript runtime was found (yt-dlp's wiki, page EJS)
    MessageRule(
        r"requested format is not available",
        "environment",
        "run `songform doctor` to check whether yt-dlp finds the JavaScript runtime that it needs",
    ),
)
# urllib.parse: an address that cannot be parsed. encodings.idna: a host with a label that is empty or too long.
INVALID_ADDRESS_PATTERN = r"Invalid IPv6 URL|NFKC normalization|^Port (could not|out of)|'idna' codec"
INVALID_URL_ENDING = "is not a valid URL"  # generic.py
# "Premieres in 3 hours", "will begin in 5 days"; seconds per unit.
TIME_UNTIL_START_PATTERN = r"\bin (\d+|an?) (minute|hour|day)s?\b"
UNIT_SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}

STATUS_EXPLANATIONS: dict[int, Explanation] = {
    401: Explanation("needs-you", "a login is required", SET_COOKIES),
    402: Explanation("needs-you", "payment is required", SET_COOKIES),
    # Usually the address has expired, and another attempt gets a new one. Otherwise the site rejects this machine or
    # requires a login.
    403: Explanation("transient", "access from this machine is denied", OPEN_IN_BROWSER, repeated="needs-you"),
    404: Explanation("permanent", "it was removed, or the address is mistyped", "check the address"),
    407: Explanation("needs-you", "the proxy requires a login", "check the proxy in the environment (https_proxy)"),
    408: Explanation("transient", "the server gave up waiting for the request", TRY_AGAIN),
    410: Explanation("permanent", "it was removed permanently", OTHER_COPY),
    416: Explanation("transient", "the file changed during the download", TRY_AGAIN),
    425: Explanation("transient", "the server is not ready for the request yet", TRY_AGAIN),
    429: Explanation("throttled", "this machine sent too many requests", WAIT_FOR_HOST),
    451: Explanation("needs-you", "it is blocked here for legal reasons", OTHER_COUNTRY),
}
CLIENT_ERROR = Explanation("permanent", "the request was rejected", "check the address")  # any other 4xx
SERVER_ERROR = Explanation("transient", "a problem on the server", TRY_AGAIN)  # any 5xx
