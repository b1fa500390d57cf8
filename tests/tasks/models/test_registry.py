"""Model registry: the champion, and download of bundles from MLflow."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from songform.bundle import Bundle
from songform.errors import ModelError
from tasks.models.registry import champion_version, fetch_bundle, model_version, update_champion
from tasks.store.bundles import ModelInfo
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features
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
            store.log_metric(run_id, "composed_macro_f1", score)
        store.log_metric(run_id, "test_accuracy", 1 - (score or 0))  # must not matter
        source = (store_home / "mlruns" / "artifacts").as_uri()
        return str(store.create_model_version(MODEL_NAME, source, run_id).version)

    yield register
    if champion_version(store_home):
        store.delete_registered_model_alias(MODEL_NAME, "champion")


def test_the_first_version_is_the_champion(store_home, contender):
    assert champion_version(store_home) is None
    version = contender(0.1)
    assert update_champion.fn(store_home, version)
    assert champion_version(store_home) == version


@pytest.mark.parametrize(("score", "wins"), [(0.4, False), (0.5, False), (None, False), (0.51, True)])
def test_only_a_better_score_on_composed_songs_moves_the_alias(store_home, contender, score, wins):
    current = contender(0.5)
    update_champion.fn(store_home, current)
    version = contender(score)
    assert update_champion.fn(store_home, version) == wins
    assert champion_version(store_home) == (version if wins else current)
    assert update_champion.fn(store_home, champion_version(store_home))  # it stays the champion


def test_a_training_is_registered_under_its_run(trained):
    assert model_version(trained.home, trained.run_id) == trained.version == champion_version(trained.home) == "1"
    assert model_version(trained.home, "0" * 32) is None
    metrics = client(trained.home).get_run(trained.run_id).data.metrics
    assert 0 <= metrics["composed_macro_f1"] <= 1


@pytest.mark.parametrize("uri", ["models:/songform@champion", "models:/songform/1", "runs:/{run_id}/bundle"])
def test_every_address_of_a_model_is_resolved_to_its_version(trained, uri):
    known = ModelInfo("models:/songform/1", trained.plan.bundle_id, trained.run_id, True)
    assert fetch_bundle.fn(trained.home, uri.format(run_id=trained.run_id)) == known


def test_bundle_missing_from_the_corpus_is_downloaded_from_mlflow(trained, quick, tmp_path):
    corpus = Corpus(trained.home)
    before = Bundle.load(trained.folder)
    trained.folder.rename(tmp_path / "moved")
    try:
        fetch_bundle.fn(trained.home, "models:/songform@champion")
        features = read_features(corpus, trained.plan.keys[0], quick)
        pd.testing.assert_frame_equal(Bundle.load(trained.folder).predict(features), before.predict(features))
        assert [path for path in trained.folder.parent.iterdir() if path != trained.folder] == []
    finally:
        shutil.rmtree(trained.folder, ignore_errors=True)
        (tmp_path / "moved").rename(trained.folder)


@pytest.mark.parametrize(
    "uri", ["models:/songform/99", "models:/other@champion", "runs:/0/bundle", "x", "", "models:/"]
)
def test_address_without_a_model_raises_one_sentence(trained, uri):
    with pytest.raises(ModelError) as caught:
        fetch_bundle.fn(trained.home, uri)
    assert f" from {uri} (" in str(caught.value)
    assert "songform ui" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_before_any_training_no_model_is_found_and_no_store_is_created(tmp_path):
    """An MLflow client would create a store, which fails if two processes do so at the same time."""
    assert champion_version(tmp_path) is None
    with pytest.raises(
        ModelError, match=f"songform@champion.* no model has been trained in {tmp_path} .*songform train"
    ):
        fetch_bundle.fn(tmp_path, "models:/songform@champion")
    assert list(tmp_path.iterdir()) == []


def test_two_homes_in_one_process_have_champions_of_their_own(trained, store_home, contender):
    version = contender(0.3)
    update_champion.fn(store_home, version)
    assert champion_version(trained.home) == trained.version != version
    assert champion_version(store_home) == version
    assert fetch_bundle.fn(trained.home, "models:/songform@champion").run_id == trained.run_id


def test_model_of_another_program_is_rejected(trained, tmp_path):
    """It is in the same store, but its run is not a training run of songform."""
    import mlflow

    (tmp_path / "model.py").write_text(
        "import mlflow\n"
        "class Model(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input: list[str], params=None): return model_input\n"
        "mlflow.models.set_model(Model())\n"
    )
    store = client(trained.home)
    run_id = store.create_run(trained.experiment_id).info.run_id
    with mlflow.start_run(run_id=run_id):
        uri = mlflow.pyfunc.log_model(
            name="other", python_model=str(tmp_path / "model.py"), pip_requirements=["numpy"]
        ).model_uri
    with pytest.raises(ModelError, match=f"no songform model .* from {uri} .*songform ui"):
        fetch_bundle.fn(trained.home, uri)


def test_model_that_is_not_the_champion_is_marked_as_such(trained, monkeypatch):
    monkeypatch.setattr("tasks.models.registry.champion_version", lambda home: "2")
    expected = ModelInfo("models:/songform/1", trained.plan.bundle_id, trained.run_id, False)
    assert fetch_bundle.fn(trained.home, "models:/songform/1") == expected
