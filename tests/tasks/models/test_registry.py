"""Model registry: versions, and download of bundles from MLflow."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from songform.bundle import Bundle
from songform.errors import ModelError
from tasks.models.registry import champion_version, fetch_bundle, model_version
from tasks.store.bundles import ModelInfo, is_pretrained
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features
from tasks.train.tracking import client


def test_a_training_is_registered_under_its_run(trained):
    assert model_version(trained.home, trained.run_id) == trained.version == champion_version(trained.home) == "1"
    assert model_version(trained.home, "0" * 32) is None
    metrics = client(trained.home).get_run(trained.run_id).data.metrics
    assert 0 <= metrics["reference_macro_f1"] <= 1


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
        others = [path.name for path in trained.folder.parent.iterdir() if path != trained.folder]
        assert [name for name in others if not is_pretrained(name)] == []
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
