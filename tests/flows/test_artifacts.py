"""Tests of the artifacts that an ingest publishes on the Prefect server."""

from __future__ import annotations

import json

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.context import FlowRunContext

from tasks.ingest.prefect_artifacts import publish_links, publish_progress, publish_tracks

TRACKS = [
    {"key": "web-1", "title": "A | [b](javascript:c)", "source": "https://a.org/1", "status": "done", "error": None},
    {
        "key": "web-2",
        "title": "<script>",
        "source": "https://a.org/2",
        "status": "failed",
        "error": {"class": "permanent", "message": "a.org says *gone*"},
        "next_retry_at": None,
    },
]


@flow
def ingest_like() -> str:
    """Publish the artifacts of an ingest, and return the ID of the run."""
    progress = publish_progress(0, 4)
    assert publish_progress(3, 4, progress) == progress
    publish_tracks(TRACKS)
    publish_links(["https://a.org/feed"])
    return str(FlowRunContext.get().flow_run.id)


def test_artifacts_of_a_run_are_stored_by_the_server(api):
    run_id = ingest_like()
    with get_client(sync_client=True) as client:
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        artifacts = {artifact.key: artifact for artifact in client.read_artifacts(artifact_filter=of_run)}
    progress = artifacts.pop("songform-ingest-progress")
    assert (progress.type, progress.data, progress.description) == ("progress", 75.0, "3 of 4 tracks")
    table = artifacts.pop("songform-ingest-tracks")
    assert (table.type, table.description) == ("table", "1 failed, 1 done")
    assert [row["title"] for row in json.loads(table.data)] == [r"\<script\>", r"A \| \[b\]\(javascript\:c\)"]
    links = artifacts.pop("songform-ingest-links")
    assert links.data.startswith("- [source](https://a.org/feed) ")
    assert artifacts == {}


def test_failing_server_does_not_fail_the_run(api, monkeypatch, caplog):
    import httpx
    from prefect.client.orchestration import SyncPrefectClient

    def refuse(*arguments, **options):
        raise httpx.ConnectError("the server is gone")

    monkeypatch.setattr(SyncPrefectClient, "create_artifact", refuse)
    monkeypatch.setattr(SyncPrefectClient, "update_artifact", refuse)

    @flow
    def unlucky() -> None:
        assert publish_tracks(TRACKS) is None
        assert publish_progress(1, 2) is None

    unlucky()
    assert caplog.text.count("could not be published: the server is gone") == 2
