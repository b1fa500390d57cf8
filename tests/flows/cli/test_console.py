"""Tests of the text and JSON output of the commands, and that untrusted text cannot control the terminal."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from flows.analyze import AnalyzeReport
from flows.cli.commands.analyze import print_analyze
from flows.cli.commands.annotate import print_annotate
from flows.cli.commands.demo import print_demo
from flows.cli.commands.doctor import print_checks
from flows.cli.commands.evaluate import EvaluateReport, print_evaluate
from flows.cli.commands.ingest import print_ingest
from flows.cli.commands.report import print_report
from flows.cli.commands.run import print_run
from flows.cli.commands.status import FailureGroup, print_failures, print_status
from flows.cli.commands.train import print_train
from flows.cli.console import Console
from flows.demo import DemoReport
from flows.diagnostics.check import Check
from flows.ingest_report import IngestReport
from flows.run import RunReport
from flows.train import TrainReport
from songform.annotation.segmentation_scores import MEASURES
from tasks.annotate.annotate_tracks import AnnotateReport
from tasks.report.index_page import Index
from tasks.store.bundles import ModelInfo

NASTY = "\x1b[2J[red]So\x07 What[/red]\u202e"
TRACK = {"key": "feed-0", "title": NASTY, "source": "https://a.example/1.mp3", "status": "done", "duration": 65.4}
TRACK |= {"attempts": 0, "next_retry_at": None, "error": None}
FAILED = {**TRACK, "key": "feed-1", "status": "failed", "duration": None}
FAILED |= {"error": {"class": "permanent", "message": f"{NASTY} is gone"}}
INGESTED = IngestReport([TRACK, FAILED], [f"{NASTY} cannot be listed"], [f"{NASTY} is longer than announced"])
METRICS = {f"{who}_{name}": 0.5 for who in ("test", "majority") for name in ("accuracy", "macro_f1", "log_loss")}
DONE = IngestReport([TRACK])
TRAINED = TrainReport("0" * 32, {"model.seed": "0"}, METRICS, "models:/songform/1", is_champion=True, is_new=True)
REPORT = {
    "track": {"key": "feed-0", "title": NASTY, "source": "", "duration": 65.4},
    "model": {"states": ["Calm", "Energetic"], "weak": {"Calm": "its margin is 0.05"}},
    "segments": [
        {"start": 0.0, "end": 30.0, "state": "Calm", "confidence": 0.9},
        {"start": 30.0, "end": 65.4, "state": "Energetic", "confidence": 0.8},
    ],
    "sections": [],
    "phrases": [],
    "no_sections": "the song has no regular beat",
    "beats": {
        "tempo": None,
        "metre": None,
        "is_metre_sure": False,
        "confidence": 0.0,
        "path": "data/beats/0/x.parquet",
    },
    "path": "/home/data/reports/0/feed-0.json",
}
ANALYZED = AnalyzeReport(
    INGESTED, [REPORT], ModelInfo("models:/songform/1", "0", "0" * 32, True), [f"{NASTY} is too short"]
)
LABELS = {"key": "feed-0", "title": NASTY, "annotator": NASTY, "segments": 2, "status": "new", "path": "/x"}
ANNOTATED = AnnotateReport([{**LABELS, "file": NASTY, "notes": [f"0.0 to 1.0 s is {NASTY}"]}], [NASTY], [NASTY])
BEATS = {**LABELS, "beats": 4, "downbeats": 1, "file": NASTY, "notes": [NASTY]}
SCORES = {
    who: dict.fromkeys(MEASURES, value) for who, value in (("songform", 0.25), ("sections", 0.5), ("people", 0.75))
}
BEAT_SCORES = {"beat_f": 0.125, "beat_cmlt": 0.375, "beat_amlt": 0.625}
SCORED = {
    "key": "feed-0",
    "title": NASTY,
    "annotators": [NASTY],
    "scores": SCORES,
    "by_annotator": {NASTY: SCORES},
    "beats": BEAT_SCORES,
    "beat_annotators": [NASTY],
}
EVALUATED = EvaluateReport(
    *("0" * 32, True, ANALYZED.model, [SCORED], {**SCORES, "beats": BEAT_SCORES}, [f"{NASTY} has no report"]),
    *({"songform": 3, "sections": 1, "people": 2, "beats": 1}, [f"2 songs have no sections: {NASTY}"]),
)
RUN = RunReport(INGESTED, TRAINED, ANALYZED)
SHARES = {"pretrained": 0.875, "adapted": 0.75}
TRAIN_FIELDS = {"run_id", "params", "metrics", "model_uri", "is_champion", "is_new", "problems", "notes"}
CALLS = {
    "ingest": (
        lambda console: print_ingest(console, INGESTED),
        {"tracks", "problems", "notes", "without_spectrum"},
    ),
    "train": (lambda console: print_train(console, TRAINED), TRAIN_FIELDS),
    "analyze": (
        lambda console: print_analyze(console, ANALYZED),
        {"tracks", "without_spectrum", "reports", "notes", "problems", "model"},
    ),
    "annotate": (
        lambda console: print_annotate(console, ANNOTATED),
        {"annotations", "beats", "notes", "problems", "unmatched", "without"},
    ),
    "evaluate": (
        lambda console: print_evaluate(console, EVALUATED),
        {"run_id", "is_new", "model", "model_id", "tracks", "mean", "n_songs", "notes", "problems"},
    ),
    "run": (
        lambda console: print_run(console, RUN),
        {"tracks", "problems", "notes", "without_spectrum", "reports", "model", *TRAIN_FIELDS},
    ),
    "demo": (
        lambda console: print_demo(console, DemoReport(RUN, 0.875, {"feed-0": 0.875}, SHARES), Path("/home")),
        {"tracks", "frames_right", "frames_right_by_model", "notes", "problems", *TRAIN_FIELDS},
    ),
    "report": (
        lambda console: print_report(console, Index(Path("/home/index.html"), [{"title": NASTY}], 2, [NASTY])),
        {"index", "songs", "left", "problems"},
    ),
    "status": (
        lambda console: print_status(console, [TRACK, FAILED], ["x"], Path("/home")),
        {"tracks", "problems", "without_spectrum"},
    ),
    "failures": (
        lambda console: print_failures(console, [FailureGroup("permanent", "take it out", [FAILED])], ["x"]),
        {"tracks", "problems"},
    ),
    "doctor": (
        lambda console: print_checks(console, [Check("ffmpeg", "warning", NASTY, NASTY)]),
        {"checks", "problems"},
    ),
    "fail": (lambda console: console.fail(ValueError(NASTY), 4), {"error"}),
}


@pytest.fixture
def shown(monkeypatch, capsys):
    """Return a function that runs a call and returns its output, 100 columns wide."""
    monkeypatch.setenv("COLUMNS", "100")

    def show(call, *, json):
        call(Console(json=json))
        return capsys.readouterr()

    return show


@pytest.mark.parametrize("name", CALLS)
def test_json_output_is_one_document_with_the_documented_fields(shown, name):
    call, fields = CALLS[name]
    document = json.loads(shown(call, json=True).out)
    assert set(document) == fields
    for track in document.get("tracks", ()):
        assert set(track) == set(SCORED if name == "evaluate" else TRACK)


@pytest.mark.parametrize("name", ["analyze", "run", "demo"])
def test_problems_of_ingest_and_analysis_are_in_the_document_and_on_standard_error(shown, name):
    """Otherwise the exit code 3 would have no visible reason in one of the outputs."""
    problems = [f"{NASTY} cannot be listed", f"{NASTY} is too short"]
    assert json.loads(shown(CALLS[name][0], json=True).out)["problems"] == problems
    told = shown(CALLS[name][0], json=False).err
    for end in ("cannot be listed", "is too short"):
        assert told.count(end) == 1


FACTS = {"confidence": 0.5, "occurrence": 1, "occurrences": 2, "is_most_repeated": True, "is_loudest": False}
SECTIONS = [
    {"start": 0.0, "end": 30.0, "label": "A", **FACTS},
    {"start": 30.0, "end": 65.4, "label": "A", **FACTS},
]


def analyzed(**fields):
    return replace(ANALYZED, reports=[REPORT | fields])


def test_song_without_sections_has_its_reason_instead_of_the_line_of_letters(shown):
    text = shown(partial(print_analyze, report=ANALYZED), json=False)
    assert text.out.count("No sections: the song has no regular beat") == 1


def test_missing_spectrum_is_named_once_for_all_songs_and_not_with_each_song(shown):
    ingested = IngestReport([TRACK], [], ["1 track has no semitone spectrum"], ["feed-0"])
    report = replace(analyzed(beats=None, no_sections="the song has no semitone spectrum"), ingested=ingested)
    text = shown(partial(print_analyze, report=report), json=False)
    assert (text.out + text.err).count("spectrum") == 1
    assert json.loads(shown(partial(print_analyze, report=report), json=True).out)["without_spectrum"] == ["feed-0"]


@pytest.mark.parametrize("columns", [20, 80, 300])
@pytest.mark.parametrize(("encoding", "rule"), [("utf-8", "─"), ("latin-1", "-")])
def test_sections_are_above_the_states_and_not_wider_than_the_terminal(monkeypatch, columns, encoding, rule):
    written = io.BytesIO()
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding=encoding, errors="replace"))
    print_analyze(Console(json=False), analyzed(sections=SECTIONS, phrases=SECTIONS))
    lines = written.getvalue().decode(encoding).splitlines()
    width = min(columns, 100)
    (place,) = [number for number, line in enumerate(lines) if line.startswith(f"A{rule}")]
    half = round(30 / 65.4 * width)
    assert lines[place] == f"A{rule * (half - 2)} A{rule * (width - half - 1)}"
    assert lines[place - 1].split() == ["0:00", "0:30"]
    assert lines[place - 1].index("0:30") == half
    assert lines[place + 1].startswith("Calm")


def test_notes_of_ingest_and_analysis_are_both_shown(shown):
    report = replace(ANALYZED, notes=["the beats were found again"])
    for call in (
        partial(print_analyze, report=report),
        partial(print_run, report=replace(RUN, analyzed=report)),
        partial(print_demo, report=DemoReport(replace(RUN, analyzed=report), 0.5, {}, {}), home=Path("/home")),
    ):
        assert len(json.loads(shown(call, json=True).out)["notes"]) == 2
        assert shown(call, json=False).err.count("note: ") == 2


def test_second_failure_is_printed_but_adds_no_second_document(shown):
    def fail_late(console):
        print_ingest(console, INGESTED)
        console.fail("stopped", 130)

    said = shown(fail_late, json=True)
    assert set(json.loads(said.out)) == CALLS["ingest"][1]
    assert said.err.endswith("songform: stopped\n")


def test_invalid_json_value_leaves_no_partial_document(capsys):
    with pytest.raises(ValueError, match="not JSON compliant"):
        Console(json=True).document({"before": 1, "metrics": {"loss": float("nan")}})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("encoding", "is_escaped"), [("utf-8", False), ("latin-1", True), ("ascii", True)])
def test_title_that_the_encoding_cannot_represent_is_escaped_in_the_document(monkeypatch, encoding, is_escaped):
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding=encoding))
    Console(json=True).document({"title": "安娜"})
    assert json.loads(written.getvalue()) == {"title": "安娜"}
    assert (b"\\u5b89" in written.getvalue()) == is_escaped


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("as_json", [True, False])
def test_untrusted_text_cannot_control_the_terminal(shown, name, as_json):
    said = shown(CALLS[name][0], json=as_json)
    people = said.err if as_json else said.out + said.err
    assert not {"\x1b", "\x07", "\u202e"} & set(people)
    if "So What" in people:
        assert "[red]So What[/red]" in people  # not interpreted as markup


def test_text_output_shows_outcomes_lengths_reasons_and_counts(shown):
    said = shown(CALLS["ingest"][0], json=False)
    lines = [line.strip() for line in said.out.splitlines()]
    assert lines[1].startswith("failed")  # failed tracks come first
    assert " ? " in lines[1]
    assert "is gone" in lines[2]
    assert lines[3].startswith("not retried automatically")
    assert "--retry-failed" in lines[3]
    assert lines[4].split()[:2] == ["done", "1:05"]
    assert lines[5] == "2 tracks: 1 done, 1 failed"
    assert "is longer than announced" not in said.out
    assert said.err.startswith("note: ")
    assert "cannot be listed" in said.err


def test_further_failures_of_a_class_are_only_counted(shown):
    group = FailureGroup("permanent", "take it out", [FAILED] * 100)
    lines = shown(lambda console: print_failures(console, [group], []), json=False).out.splitlines()
    assert lines[0] == "permanent: 100 tracks"
    assert lines[1] == "  Take it out."
    assert len(lines) == 2 + 2 * 40 + 1
    assert "60 more" in lines[-1]


def test_further_tracks_are_only_counted(shown):
    report = IngestReport([{**TRACK, "key": f"feed-{n}"} for n in range(100)])
    lines = shown(lambda console: print_ingest(console, report), json=False).out.splitlines()
    assert len(lines) == 1 + 40 + 1
    assert lines[-1] == "100 tracks: 100 done (60 not shown)"


def test_no_table_is_printed_without_tracks(shown):
    """For example, no retry may be due."""
    assert shown(lambda console: print_ingest(console, IngestReport([])), json=False).out.startswith(
        "No tracks to ingest"
    )


def test_metrics_are_printed_with_those_of_the_baselines(shown):
    out = shown(CALLS["train"][0], json=False).out
    assert "lstm " in out
    assert "majority" in out
    assert "centroid" not in out  # it was not measured
    assert "Trained: MLflow run 00000000000000000000000000000000; model models:/songform/1 (the champion)" in out
    old = replace(TRAINED, is_new=False, is_champion=False, metrics={})
    out = shown(lambda console: print_train(console, old), json=False).out
    assert "No test metrics" in out
    assert "Already trained: " in out
    assert "(not the champion)" in out


def test_metrics_are_printed_under_the_name_of_the_network(shown):
    report = replace(TRAINED, params={"model.name": "gru"}, metrics={**METRICS, "test_accuracy": 0.4})
    out = shown(lambda console: print_train(console, report), json=False).out
    assert "\ngru " in out
    assert "on held-out tracks the GRU is less accurate" in " ".join(out.split())
    assert "lstm" not in out.lower()


@pytest.mark.parametrize(("accuracy", "is_cautioned"), [(0.4, True), (0.5, False), (0.6, False)])
def test_model_worse_than_the_most_frequent_state_prints_a_caution(shown, accuracy, is_cautioned):
    report = replace(TRAINED, metrics={**METRICS, "test_accuracy": accuracy})
    assert ("Caution: " in shown(lambda console: print_train(console, report), json=False).out) == is_cautioned


def test_song_is_printed_with_its_timeline_model_and_weak_names(shown):
    out = shown(CALLS["analyze"][0], json=False).out
    assert "1:05" in out
    assert "Model: models:/songform/1 (the champion)" in out
    assert "Weak name: Calm (its margin is 0.05)" in out
    assert "Files: /home/data/reports/0" in out
    assert out.endswith(f"Page:  {Path(REPORT['path']).with_suffix('.html')}\n")
    assert "0:30.0" in out


def test_failed_tracks_of_an_analysis_are_printed_with_their_reasons(shown):
    """Otherwise the exit code 3 would have no visible reason."""
    lines = [line.strip() for line in shown(CALLS["analyze"][0], json=False).out.splitlines()]
    assert [line.split()[0] for line in lines if line.startswith(("failed", "done"))] == ["failed"]
    assert "is gone" in lines
    assert "2 tracks: 1 done, 1 failed" in lines
    assert "tracks: " not in shown(partial(print_analyze, report=replace(ANALYZED, ingested=DONE)), json=False).out
    assert shown(CALLS["run"][0], json=False).out.count("2 tracks: 1 done, 1 failed") == 1


def test_sonified_songs_are_named(shown):
    one = REPORT | {"sonified": "/home/data/reports/0/feed-0.sonified.flac"}
    out = shown(partial(print_analyze, report=replace(ANALYZED, reports=[one])), json=False).out
    assert out.endswith(f"Sound: {one['sonified']}\n")
    out = shown(partial(print_analyze, report=replace(ANALYZED, reports=[one, one])), json=False).out
    assert out.endswith("Sounds: one .sonified.flac file per song in that folder.\n")
    assert "Sound" not in shown(CALLS["analyze"][0], json=False).out


@pytest.mark.parametrize(("left", "told"), [(1, "1 song of the corpus is not"), (2, "2 songs of the corpus are not")])
def test_index_names_the_number_of_missing_songs(shown, left, told):
    index = Index(Path("/home/index.html"), [{"title": "a"}], left, [])
    lines = shown(partial(print_report, index=index), json=False).out.splitlines()
    assert lines[1].startswith(told)
    assert f"analyze {'it' if left == 1 else 'them'} with" in lines[1]


def test_segments_of_many_songs_are_not_listed(shown):
    many = AnalyzeReport(INGESTED, [REPORT] * 4, ANALYZED.model)
    out = shown(lambda console: print_analyze(console, many), json=False).out
    assert "0:30.0" not in out
    last = out.splitlines()[-1]
    assert last.startswith("Pages: one .html file per song")
    assert "songform report" in last


def test_demo_prints_the_next_steps(shown, monkeypatch, tmp_path):
    out = shown(CALLS["demo"][0], json=False).out
    assert out.splitlines()[-6:] == [
        "87.5% of the frames have the correct state with the champion:",
        "  87.5% with the model shipped with songform",
        "  75.0% with the model adapted to these songs",
        "Pictures: /home/data/reports/0",
        f"Listen:   {Path(REPORT['path']).with_suffix('.html')}",
        "MLflow:   songform --home /home ui",
    ]
    monkeypatch.chdir(tmp_path)
    report = DemoReport(RUN, 0.875, {}, {})
    assert shown(lambda console: print_demo(console, report, tmp_path), json=False).out.endswith(
        "MLflow:   songform ui\n"
    )


def test_status_of_an_empty_corpus_reports_how_to_add_tracks(shown):
    out = shown(lambda console: print_status(console, [], [], Path("/home")), json=False).out
    assert "/home has no tracks yet" in out
    assert "songform ingest SOURCE" in out
    assert out.count("\n") == 1


def test_failure_is_printed_as_one_sentence_and_returns_its_exit_code(shown):
    codes = []
    said = shown(lambda console: codes.append(console.fail("it is broken", 4)), json=False)
    assert (said.out, said.err, codes) == ("", "songform: it is broken\n", [4])


def test_scores_are_printed_with_those_of_people_and_further_tracks_are_only_counted(shown):
    out = shown(CALLS["evaluate"][0], json=False).out
    lines = [line.split() for line in out.splitlines()]
    assert ["songform:", "states", "3", *["0.250"] * 6] in lines
    assert ["songform:", "sections", "1", *["0.500"] * 6] in lines
    assert ["person", "against", "person", "2", *["0.750"] * 6] in lines
    assert "a boundary every 20 s" not in out  # it was not measured
    assert ["mean", "0.125", "0.375", "0.625"] in lines  # the downbeats were not measured
    assert "Recorded: MLflow run " in out
    many = replace(EVALUATED, tracks=[SCORED] * 50)
    out = shown(lambda console: print_evaluate(console, many), json=False).out
    assert "(10 more; " in out
    assert "--json" in out


def test_labels_are_printed_with_their_notes(shown):
    said = shown(CALLS["annotate"][0], json=False)
    assert "0.0 to 1.0 s is" in said.out
    assert "1 label file for 1 track" in said.out
    assert "Without labels: " in said.out
    assert "beat" not in said.out
    many = AnnotateReport(ANNOTATED.annotations * 50, [], ["a"] * 7)
    out = shown(lambda console: print_annotate(console, many), json=False).out
    assert "(10 not shown)" in out
    assert "a, a, a, a, a, ... (7 tracks)" in out


def test_beats_are_printed_in_a_table_of_their_own(shown):
    both = replace(ANNOTATED, beats=[BEATS])
    out = shown(lambda console: print_annotate(console, both), json=False).out
    assert "1 label file for 1 track" in out
    assert "1 beat file for 1 track" in out
    assert "\x1b" not in out
    alone = shown(lambda console: print_annotate(console, AnnotateReport(beats=[BEATS])), json=False).out
    assert "label file" not in alone


def test_status_notes_once_how_many_tracks_to_upgrade(shown):
    for keys, words in ((["feed-0"], "1 track has"), (["feed-0", "feed-1"], "2 tracks have")):
        result = shown(
            partial(print_status, tracks=[TRACK], problems=[], home=Path(), without_spectrum=keys), json=False
        )
        (note,) = [line for line in result.err.splitlines() if line.startswith("note: ")]
        assert words in note
        assert "songform ingest --upgrade" in note
