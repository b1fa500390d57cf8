"""Tests of the output of songform schedule. The tests in tests/system run real schedules."""

from __future__ import annotations

import pytest

from songform.errors import SongformError


@pytest.fixture
def scheduler(monkeypatch):
    """Return a function that replaces the scheduler by one that ends immediately, or raises the given error."""

    def keep(error=None):
        def run_scheduler(home, settings, *, prefect_port, say):
            say("Starting; this takes up to a minute.")
            say("Ctrl-C stops.")
            if error:
                raise error
            say("Stopped.")
            return "http://127.0.0.1:4242"

        monkeypatch.setattr("flows.schedule.scheduler.run_scheduler", run_scheduler)

    return keep


def test_stopped_schedule_reports_the_address_it_served(songform, document, scheduler, tmp_path):
    scheduler()
    result = songform("--home", tmp_path, "schedule", "--json")
    assert result.exit_code == 0
    assert document(result) == {"prefect": "http://127.0.0.1:4242", "ended": "stopped"}
    assert result.stderr.splitlines() == ["Starting; this takes up to a minute.", "Ctrl-C stops.", "Stopped."]
    result = songform("--home", tmp_path, "schedule")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("Stopped.\n")


def test_lost_server_is_the_error_of_the_document(songform, document, scheduler, tmp_path):
    scheduler(SongformError("the Prefect server no longer answers"))
    result = songform("--json", "--home", tmp_path, "schedule")
    assert result.exit_code == 4
    assert document(result) == {"error": "the Prefect server no longer answers"}


def test_home_without_playlists_is_wrong_usage_with_a_document(songform, document, tmp_path):
    result = songform("--home", tmp_path, "schedule", "--json")
    assert result.exit_code == 2
    error = document(result)["error"]
    assert f"{tmp_path / 'songform.toml'} does not exist, so there are no playlists" in error
    assert "[[playlists]]" in error
    assert "url = " in error
