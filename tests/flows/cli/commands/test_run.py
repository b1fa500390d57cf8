"""Tests that failures of the ingest and of the analysis set the exit code of songform run, analyze and demo."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

import flows.run
from flows.analyze import AnalyzeReport
from flows.demo import DemoReport
from flows.ingest_report import IngestReport, RunInterrupted, attach_ingest_report
from flows.run import RunReport
from flows.train import TrainReport

TRACK = {"key": "feed-0", "title": "A song", "source": "", "status": "done", "duration": 65.4, "error": None}
REPORT = {
    "track": {"key": "feed-0", "title": "A song", "source": "", "duration": 65.4},
    "model": {"states": ["Calm"], "weak": {}},
    "segments": [{"start": 0.0, "end": 65.4, "state": "Calm", "confidence": 0.9}],
    "path": "/home/data/reports/0/feed-0.json",
}
TRAINED = TrainReport("0" * 32, {}, {}, "models:/songform/1", is_champion=True, is_new=True)
PROBLEMS = [
    pytest.param([], [], 0, id="none"),
    pytest.param(["a feed cannot be listed"], [], 3, id="of the ingest"),
    pytest.param([], ["a song is too short"], 3, id="of the analysis"),
    pytest.param(["a feed cannot be listed"], ["a song is too short"], 3, id="of both"),
]


@pytest.fixture
def _no_server(monkeypatch):
    """Replace the Prefect server, because the tests do not run the flows."""

    @contextmanager
    def nothing(home, *modules, report):
        yield "http://127.0.0.1:9/api"

    monkeypatch.setattr("flows.prefect_server.connect.prefect_server", nothing)


@pytest.mark.usefixtures("_no_server")
@pytest.mark.parametrize("command", ["analyze", "run", "demo"])
@pytest.mark.parametrize(("of_ingest", "of_analysis", "code"), PROBLEMS)
def test_every_problem_is_in_the_document_and_sets_the_exit_code(
    songform, document, monkeypatch, tmp_path, *, command, of_ingest, of_analysis, code
):
    analyzed = AnalyzeReport(IngestReport([TRACK], of_ingest), [REPORT], problems=of_analysis)
    ran = RunReport(analyzed.ingested, TRAINED, analyzed)
    reports = {"analyze": analyzed, "run": ran, "demo": DemoReport(ran, 0.5, {"feed-0": 0.5}, {})}
    monkeypatch.setattr(f"flows.{command}.{command}", lambda *words, **options: reports[command])
    words = [] if command == "demo" else ["https://a.example/feed"]
    result = songform("--home", tmp_path, "--json", command, *words)
    assert result.exit_code == code
    assert document(result)["problems"] == [*of_ingest, *of_analysis]
    told = [line for line in result.stderr.splitlines() if line.startswith("songform: ")]
    assert told == [f"songform: {problem}" for problem in [*of_ingest, *of_analysis]]


@pytest.mark.usefixtures("_no_server")
@pytest.mark.parametrize("command", ["analyze", "run"])
def test_pictures_are_a_setting_that_an_option_switches_off(songform, monkeypatch, tmp_path, command):
    analyzed, asked = AnalyzeReport(IngestReport([TRACK]), [REPORT]), []
    report = analyzed if command == "analyze" else RunReport(analyzed.ingested, TRAINED, analyzed)

    def flow(home, sources, settings, *_, **__):
        asked.append(settings.report.pictures)
        return report

    monkeypatch.setattr(f"flows.{command}.{command}", flow)
    for words in ([], ["--no-pictures"], ["--set", "report.pictures=false"]):
        assert songform("--home", tmp_path, "--json", command, "https://a.example/feed", *words).exit_code == 0
    assert asked == [True, False, False]


@pytest.mark.usefixtures("_no_server")
def test_interrupted_training_still_reports_the_tracks(songform, document, monkeypatch, tmp_path):
    def interrupt(*words, **options):
        with attach_ingest_report(IngestReport([TRACK], ["a feed cannot be listed"], ["a note"])):
            raise KeyboardInterrupt

    monkeypatch.setattr(flows.run, "run", interrupt)
    result = songform("--home", tmp_path, "--json", "run", "https://a.example/feed")
    assert result.exit_code == 130
    told = document(result)
    assert told["error"].startswith("stopped")
    assert (told["tracks"], told["problems"], told["notes"]) == ([TRACK], ["a feed cannot be listed"], ["a note"])


@pytest.mark.usefixtures("api")
def test_interruption_of_a_training_keeps_the_ingest_report_through_prefect(monkeypatch, tmp_path):
    def interrupt(*words, **options):
        raise KeyboardInterrupt

    report = IngestReport([TRACK])
    monkeypatch.setattr(flows.run, "ingest", lambda *words, **options: report)
    monkeypatch.setattr(flows.run, "report_of", lambda state: report)
    monkeypatch.setattr(flows.run, "train", interrupt)
    with pytest.raises(RunInterrupted) as interrupted:
        flows.run.run(tmp_path, ["https://a.example/feed"])
    assert interrupted.value.ingested is report
