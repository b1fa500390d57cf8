"""songform schedule: what it served and how that ended, as a document; tests/system lets a schedule fire for real."""

from __future__ import annotations

import pytest

from songform.errors import SongformError


@pytest.fixture
def scheduler(monkeypatch):
    """Stand in for the scheduler: it has a server, and ends as it is told."""

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


def test_a_schedule_that_was_stopped_ends_with_the_address_it_served(songform, document, scheduler, tmp_path):
    scheduler()
    result = songform("--home", tmp_path, "schedule", "--json")
    assert result.exit_code == 0
    assert document(result) == {"prefect": "http://127.0.0.1:4242", "ended": "stopped"}
    assert result.stderr.splitlines() == ["Starting; this takes up to a minute.", "Ctrl-C stops.", "Stopped."]
    result = songform("--home", tmp_path, "schedule")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("Stopped.\n")


def test_a_server_that_is_lost_is_the_error_of_the_document(songform, document, scheduler, tmp_path):
    scheduler(SongformError("the Prefect server no longer answers"))
    result = songform("--json", "--home", tmp_path, "schedule")
    assert result.exit_code == 4
    assert document(result) == {"error": "the Prefect server no longer answers"}


def test_a_home_without_playlists_is_wrong_usage_and_a_document(songform, document, tmp_path):
    result = songform("--home", tmp_path, "schedule", "--json")
    assert result.exit_code == 2
    assert "lists no playlist; add one: [[playlists]]" in document(result)["error"]
