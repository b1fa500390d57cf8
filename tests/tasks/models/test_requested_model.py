"""Choice of the model that songs are analyzed and evaluated with."""

from __future__ import annotations

import pytest

from songform.errors import ModelError
from tasks.models.requested_model import choose_model
from tasks.store.bundles import OWN_MODEL, ModelInfo


def test_the_champion_is_chosen_unless_another_model_is_named(trained):
    champion = choose_model(trained.home, None)
    assert champion == ModelInfo("models:/songform/1", trained.plan.bundle_id, trained.run_id, True)
    assert choose_model(trained.home, f"runs:/{trained.run_id}/bundle") == champion
    with pytest.raises(ModelError, match=r"no songform model .* from models:/songform/99 .*songform ui"):
        choose_model(trained.home, "models:/songform/99")


def test_without_a_champion_states_are_fitted_on_the_song_but_a_named_model_must_exist(tmp_path):
    assert choose_model(tmp_path, None) == OWN_MODEL
    with pytest.raises(ModelError, match=r"models:/songform/1.* no model has been trained in .*songform train"):
        choose_model(tmp_path, "models:/songform/1")


def test_flow_can_pass_its_own_function_to_fetch_the_bundle(trained):
    asked = []
    choose_model(trained.home, None, fetch=lambda home, uri: asked.append((home, uri)))
    assert asked == [(trained.home, "models:/songform@champion")]
