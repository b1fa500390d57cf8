"""The champion: which version it is, and on which songs versions are compared."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from songform.annotation.annotations import Annotation
from songform.bundle import Bundle
from songform.learning.splits import Split
from songform.pretrained import pretrained_id
from songform.structure.context import UNIT_SECONDS
from tasks.annotate.annotations import keep_annotation
from tasks.models.champion import LEAST_LABELED, update_champion
from tasks.models.pretrained_model import register_pretrained
from tasks.models.registry import champion_version, fetch_bundle, restore_bundle
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.train.reference_songs import comparison_digest
from tasks.train.tracking import MODEL_NAME, client, prepare_store


@pytest.fixture(scope="module")
def store_home(tmp_path_factory):
    """Make a store without any training, because the choice of the champion only needs metrics."""
    home = tmp_path_factory.mktemp("home")
    prepare_store.fn(home, "test")
    client(home).create_registered_model(MODEL_NAME)
    return home


@pytest.fixture
def contender(store_home):
    """Return a function that registers a version whose run has a given score on the composed songs."""
    store = client(store_home)
    experiment = store.get_experiment_by_name("test").experiment_id

    def register(score):
        run_id = store.create_run(experiment).info.run_id
        if score is not None:
            store.log_metric(run_id, "reference_macro_f1", score)
            store.set_tag(run_id, "songform.reference_macro_f1", comparison_digest())
        store.log_metric(run_id, "test_accuracy", 1 - (score or 0))  # must not matter
        source = (store_home / "mlruns" / "artifacts").as_uri()
        return str(store.create_model_version(MODEL_NAME, source, run_id).version)

    yield register
    if champion_version(store_home):
        store.delete_registered_model_alias(MODEL_NAME, "champion")


def test_the_first_version_is_the_champion(store_home, contender):
    assert champion_version(store_home) is None
    version = contender(0.1)
    assert update_champion.fn(store_home, version, Settings())
    assert champion_version(store_home) == version


@pytest.mark.parametrize(("score", "wins"), [(0.4, False), (0.5, False), (None, False), (0.51, True)])
def test_only_a_better_score_on_composed_songs_moves_the_alias(store_home, contender, score, wins):
    current = contender(0.5)
    update_champion.fn(store_home, current, Settings())
    version = contender(score)
    assert update_champion.fn(store_home, version, Settings()) == wins
    assert champion_version(store_home) == (version if wins else current)
    assert update_champion.fn(store_home, champion_version(store_home), Settings())  # it stays the champion


def test_two_homes_in_one_process_have_champions_of_their_own(trained, store_home, contender):
    version = contender(0.3)
    update_champion.fn(store_home, version, Settings())
    assert champion_version(trained.home) == trained.version != version
    assert champion_version(store_home) == version
    assert fetch_bundle.fn(trained.home, "models:/songform@champion").run_id == trained.run_id


@pytest.fixture(scope="module")
def other_home(trained, tmp_path_factory):
    """Copy the files of a home with a trained bundle, and make a store without any model."""
    home = tmp_path_factory.mktemp("other")
    shutil.copytree(trained.home / "data", home / "data")
    prepare_store.fn(home, "test")
    client(home).create_registered_model(MODEL_NAME)
    return home


@pytest.fixture
def home(other_home, trained):
    """Return that home; what a test changes is undone afterward."""
    yield other_home
    store, corpus = client(other_home), Corpus(other_home)
    store.delete_registered_model(MODEL_NAME)
    store.create_registered_model(MODEL_NAME)
    for folder in (corpus.bundle_path(""), corpus.data / "annotations"):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(trained.folder.parent, corpus.bundle_path(""))


def version_of(home, bundle_id):
    """Register a version of a bundle of the corpus, without a copy in MLflow's store."""
    store = client(home)
    experiment = store.get_experiment_by_name("test").experiment_id
    run_id = store.create_run(experiment, tags={"songform.bundle": bundle_id}).info.run_id
    return str(store.create_model_version(MODEL_NAME, (home / "mlruns" / "artifacts").as_uri(), run_id).version)


def metrics_of(home, version):
    store = client(home)
    return store.get_run(store.get_model_version(MODEL_NAME, version).run_id).data.metrics


def mislabeled(home, folder, name):
    """Save a copy of a bundle in which the names of the states are exchanged; return its id."""
    bundle = Bundle.load(folder, network=False)
    states = replace(bundle.states, states=tuple(np.roll(bundle.states.states, 2).tolist()))
    other = Corpus(home).bundle_path(name)
    other.mkdir()
    Bundle(states, None, 0.0, bundle.columns, bundle.settings).save(other)
    return name


def test_champion_of_an_earlier_version_is_scored_once_before_it_is_compared(home, trained, quick, monkeypatch):
    """Its run has the score on other songs, under the earlier name."""
    store = client(home)
    old = version_of(home, trained.plan.bundle_id)
    store.log_metric(store.get_model_version(MODEL_NAME, old).run_id, "composed_macro_f1", 0.0)
    store.set_registered_model_alias(MODEL_NAME, "champion", old)
    worse = version_of(home, mislabeled(home, trained.folder, "a"))
    assert not update_champion.fn(home, worse, quick)
    assert champion_version(home) == old
    scores = metrics_of(home, old), metrics_of(home, worse)
    assert scores[0]["reference_macro_f1"] > scores[1]["reference_macro_f1"]
    assert scores[0]["composed_macro_f1"] == 0.0
    monkeypatch.setattr("tasks.models.champion.composed_songs", None)  # the scores are known
    assert not update_champion.fn(home, worse, quick)


def test_better_version_replaces_the_champion(home, trained, quick):
    worse = version_of(home, mislabeled(home, trained.folder, "a"))
    assert update_champion.fn(home, worse, quick)
    better = version_of(home, trained.plan.bundle_id)
    assert update_champion.fn(home, better, quick)
    assert champion_version(home) == better


def annotated(home, bundle_id, keys, settings):
    """Store as a person's labels what a bundle finds in some tracks."""
    from tasks.store.tables import read_features, read_overview

    corpus, bundle = Corpus(home), Bundle.load(Corpus(home).bundle_path(bundle_id), network=False)
    for key in keys:
        record = corpus.record(key)
        features, overview = read_features(corpus, key, settings), read_overview(corpus, key, settings)
        path = bundle.form(features, overview, record.duration).path
        times = np.arange(len(path) + 1) * UNIT_SECONDS
        intervals = np.minimum(np.column_stack([times[:-1], times[1:]]), record.duration)
        labels = [bundle.states.states[state] for state in path]
        keep_annotation(corpus, record, Annotation(intervals, labels), "Ana")


@pytest.mark.parametrize(("n_labeled", "wins"), [(LEAST_LABELED - 1, False), (LEAST_LABELED, True)])
def test_five_test_songs_with_state_labels_decide_instead_of_composed_songs(home, trained, quick, n_labeled, wins):
    """People call the states as the bundle with exchanged names does, which is worse on composed songs."""
    current = version_of(home, trained.plan.bundle_id)
    update_champion.fn(home, current, quick)
    keys = sorted(trained.plan.keys)
    mislabeled(home, trained.folder, "a")
    annotated(home, "a", keys[:n_labeled], quick)
    plan = replace(trained.plan, split=Split({}, {}, {key: [(0.0, np.inf)] for key in keys}))
    version = version_of(home, "a")
    assert update_champion.fn(home, version, quick, plan) == wins
    if wins:
        assert metrics_of(home, version)["labeled_macro_f1"] == pytest.approx(1)
        assert metrics_of(home, current)["labeled_macro_f1"] < 0.7
    else:
        assert "labeled_macro_f1" not in metrics_of(home, version)


def test_labels_that_are_not_states_of_either_model_do_not_decide(home, trained, quick):
    corpus = Corpus(home)
    current = version_of(home, trained.plan.bundle_id)
    update_champion.fn(home, current, quick)
    for key in trained.plan.keys:
        record = corpus.record(key)
        labels = Annotation(np.array([[0.0, 9.0], [9.0, record.duration]]), ["verse", "Calm"])
        keep_annotation(corpus, record, labels, "Ana")
    plan = replace(trained.plan, split=Split({}, {}, {key: [(0.0, np.inf)] for key in trained.plan.keys}))
    version = version_of(home, mislabeled(home, trained.folder, "a"))
    assert not update_champion.fn(home, version, quick, plan)
    assert "labeled_macro_f1" not in metrics_of(home, version)


def test_shipped_model_is_registered_once_and_is_the_first_champion(home, quick, trained):
    import mlflow

    experiment_id = prepare_store.fn(home, "test")
    version = register_pretrained.fn(home, experiment_id, quick)
    assert register_pretrained.fn(home, prepare_store.fn(home, "other"), quick) == version
    assert champion_version(home) == version
    model = fetch_bundle.fn(home, "models:/songform@champion")
    assert (model.model_id, model.is_champion, model.is_pretrained) == (pretrained_id(), True, True)
    run = client(home).get_run(model.run_id)
    assert (run.info.run_name, run.info.status) == ("pretrained", "FINISHED")
    assert run.data.params["features.n_mfcc"] == "13"
    assert 0.3 < run.data.metrics["reference_macro_f1"] <= 1
    loaded = mlflow.pyfunc.load_model("models:/songform@champion").unwrap_python_model()
    assert loaded.bundle.states.states == Bundle.load(Corpus(home).bundle_path(pretrained_id())).states.states


def test_shipped_model_that_does_not_fit_the_settings_is_registered_but_not_the_champion(home, quick, monkeypatch):
    other = quick.model_copy(update={"features": quick.features.model_copy(update={"n_mfcc": 5})})
    assert register_pretrained.fn(home, prepare_store.fn(home, "test"), other) == "1"
    assert champion_version(home) is None


def test_lost_champion_is_replaced(home, trained, quick):
    current = version_of(home, trained.plan.bundle_id)
    update_champion.fn(home, current, quick)
    folder = Corpus(home).bundle_path(trained.plan.bundle_id)
    (folder / "states.npz").write_bytes(b"damaged")
    with pytest.raises(Exception, match="damaged"):
        restore_bundle(f"models:/songform/{current}", folder)
    worse = mislabeled(home, trained.folder, "a")
    version = version_of(home, worse)
    assert update_champion.fn(home, version, quick)
