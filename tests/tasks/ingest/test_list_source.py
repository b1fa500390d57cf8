"""Rate limiting of listings."""

from __future__ import annotations

import pytest

from songform.errors import SourceError
from tasks.ingest.list_source import list_source
from tasks.settings import Settings

# yt-dlp leaves interrupted connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

SETTINGS = Settings.model_validate({"download": {"timeout_seconds": 1.0, "allow_private": True, "host_seconds": 0.0}})


def test_throttled_listing_pauses_the_host(tmp_path, site):
    url = site.put("/feed.xml", status=429, headers={"Retry-After": "30"})
    with pytest.raises(SourceError) as caught:
        list_source.fn(tmp_path, url, SETTINGS)
    assert caught.value.failure == "throttled"
    download = SETTINGS.download.model_copy(update={"patience_seconds": 1.0})
    with pytest.raises(SourceError, match=r"was not listed: .* paused until .* \(.* fewer requests\); .*again"):
        list_source.fn(tmp_path, url, SETTINGS.model_copy(update={"download": download}))
    assert len(site.asked) == 1
