"""Tests of the deployments of a home, and of the flows that they run."""

from __future__ import annotations

import json
import sys

import pytest
import requests
from prefect.states import Completed, Failed, Pending, Running

from flows.ingest import WITH_FAILURES
from flows.schedule.scheduled_flows import combined_state, deployments, ingest_playlists, retry_due, schedule_lines
from flows.schedule.stale_runs import clean_up_stale
from songform.errors import SettingsError, TrackError
from tasks.ingest.track_outcomes import record_failure
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track

URL = "https://a.example/podcast/feed.xml"


def settings(*urls, **schedule):
    """Return settings with playlists that are ingested at 06:00 in Berlin, with a limit of five tracks."""
    entries = [{"url": url, "timezone": "Europe/Berlin", "limit": 5} for url in urls]
    return Settings.model_validate({"playlists": entries, "schedule": schedule})


def test_home_has_one_deployment_per_playlist_one_for_retries_and_one_for_trainings(tmp_path):
    served = deployments(tmp_path, settings(URL, "https://b.example/list"))
    assert [deployment.flow_name for deployment in served] == [*["ingest-playlists"] * 2, "retry-due", "train-anew"]
    (schedule,) = served[0].schedules
    assert (schedule.schedule.cron, schedule.schedule.timezone) == ("0 6 * * *", "Europe/Berlin")
    assert served[0].parameters == {"home": str(tmp_path), "urls": [URL]}
    assert [deployment.schedules[0].schedule.timezone for deployment in served[2:]] == ["UTC"] * 2
    assert len({deployment.name for deployment in served}) == len({d.schedules[0].slug for d in served}) == 4
    for deployment in served:
        assert deployment.entrypoint.startswith("flows.schedule.scheduled_flows.")
        assert (deployment.concurrency_limit, deployment.concurrency_options.collision_strategy) == (1, "CANCEL_NEW")


def test_empty_cron_expression_means_never(tmp_path):
    (served,) = deployments(tmp_path, settings(URL, retry="", train=""))
    assert served.flow_name == "ingest-playlists"
    (line,) = schedule_lines(settings(URL, retry="", train=""))
    assert line.split() == ["0", "6", "*", "*", "*", "Europe/Berlin", URL]


@pytest.mark.parametrize("url", [URL, "/music/ogg", "https://[::1", "https://a.example/" + "x" * 200, "%%%", "\u266a"])
def test_deployment_name_is_short_plain_and_unique(tmp_path, url):
    (one,) = deployments(tmp_path / "1", settings(url, retry="", train=""))
    (other,) = deployments(tmp_path / "2", settings(url, retry="", train=""))
    assert one.name != other.name  # two homes may share a server
    assert set(one.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert 6 < len(one.name) <= 47


def test_deployment_of_an_unlisted_playlist_is_deleted_and_those_of_other_homes_stay(api, tmp_path):
    for home in ("1", "2"):
        for deployment in deployments(tmp_path / home, settings(URL, "https://b.example/list")):
            deployment.apply()
    kept = deployments(tmp_path / "1", settings(URL))
    clean_up_stale(tmp_path / "1", {deployment.name for deployment in kept})
    found = requests.post(f"{api}/deployments/filter", json={}, timeout=30).json()
    homes = [deployment["parameters"].get("home") for deployment in found]
    assert (homes.count(str(tmp_path / "1")), homes.count(str(tmp_path / "2"))) == (3, 4)
    assert {deployment.name for deployment in kept} <= {deployment["name"] for deployment in found}


def test_killed_run_no_longer_occupies_its_concurrency_slot(api, tmp_path):
    from prefect.client.orchestration import get_client

    (served,) = deployments(tmp_path, settings(URL, retry="", train=""))
    deployment_id = served.apply()
    with get_client(sync_client=True) as client:
        ids = [client.create_flow_run_from_deployment(deployment_id).id for _ in range(3)]
        first, second = (client.set_flow_run_state(run_id, Pending()) for run_id in ids[:2])
        assert (first.status, second.state.type) == ("ACCEPT", "CANCELLED")
        client.set_flow_run_state(ids[0], Running())
        clean_up_stale(tmp_path, {served.name})
        assert client.read_flow_run(ids[0]).state.type == "CRASHED"
        assert client.set_flow_run_state(ids[2], Pending()).status == "ACCEPT"
        clean_up_stale(tmp_path, set())


@pytest.fixture
def home(tmp_path, feed):
    """Return a home whose songform.toml lists a feed with a limit of two tracks, and a command that records alerts."""
    command = [sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')"]
    (tmp_path / "songform.toml").write_text(
        f"[notify]\ncommand = {json.dumps([*command, str(tmp_path / 'alerts.jsonl')])}\ndisk_gigabytes = 1e9\n"
        f"[[playlists]]\nurl = '{feed}'\nlimit = 2\n"
    )
    return tmp_path


def test_run_reads_songform_toml_and_notifies_its_command(api, home, feed):
    report = ingest_playlists(home, [feed])
    assert [track["status"] for track in report.tracks] == ["done"] * 2
    events = [json.loads(line) for line in (home / "alerts.jsonl").read_text().splitlines() if line]
    assert "disk-nearly-full" in [event["event"] for event in events]
    (home / "songform.toml").write_text(f"[[playlists]]\nurl = '{feed}'\nlimit = 1\n")
    assert [track["status"] for track in ingest_playlists(home).tracks] == ["cached"]


def test_unlisted_playlist_is_reported_in_one_sentence(api, home):
    with pytest.raises(
        SettingsError, match=r"songform\.toml has no \[\[playlists\]\] entry with the url https://b\.example/x; add one"
    ):
        ingest_playlists(home, ["https://b.example/x"])
    (home / "songform.toml").unlink()
    with pytest.raises(SettingsError, match=r"songform\.toml has no \[\[playlists\]\] entry; add one"):
        ingest_playlists(home)


def test_retry_with_nothing_due_is_completed(api, home):
    state = retry_due(home, return_state=True)
    assert (state.name, state.message) == ("Completed", "no retry is due")
    assert Corpus(home).records() == []


def test_retry_with_only_permanent_failures_is_completed(api, home):
    gone = Track(key="web-0", title="Gone", source="https://a.example/gone.mp3")
    record_failure(Corpus(home), gone, TrackError("it was removed", "permanent"))
    state = retry_due(home, return_state=True)
    assert (state.name, state.message) == ("Completed", "no retry is due")


@pytest.mark.parametrize(
    ("states", "name", "message"),
    [
        ([Completed(), Completed()], "Completed", "2 playlists, 0 failed"),
        ([Completed(), Completed(name=WITH_FAILURES)], WITH_FAILURES, "2 playlists, 0 failed"),
        ([Completed(), Failed()], WITH_FAILURES, "2 playlists, 1 failed"),
        ([Failed(), Failed()], "Failed", "2 playlists, 2 failed"),
    ],
)
def test_combined_state_of_several_ingests(states, name, message):
    state = combined_state(states)
    assert (state.name, state.message) == (name, message)
