"""Choice of the model that songs are analyzed and evaluated with."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from songform.bundle import Bundle
from songform.errors import ModelError
from songform.pretrained import PRETRAINED_FOLDER, pretrained_bundle, pretrained_id
from tasks.models.requested_model import choose_model
from tasks.settings import Settings
from tasks.store.bundles import OWN_MODEL, ModelInfo, is_pretrained, newest_bundle
from tasks.store.corpus import Corpus


def test_the_champion_is_chosen_unless_another_model_is_named(trained, quick):
    champion = choose_model(trained.home, None, quick)
    assert champion == ModelInfo("models:/songform/1", trained.plan.bundle_id, trained.run_id, True)
    assert choose_model(trained.home, f"runs:/{trained.run_id}/bundle", quick) == champion
    with pytest.raises(ModelError, match=r"no songform model .* from models:/songform/99 .*songform ui"):
        choose_model(trained.home, "models:/songform/99", quick)


def test_shipped_model_is_chosen_without_a_champion_and_copied_to_the_home(tmp_path):
    model = choose_model(tmp_path, None, Settings())
    assert model == ModelInfo("", pretrained_id(), None, False)
    assert (model.problems, model.notes, model.address) == ((), (), "pretrained")
    assert pretrained_id() in model.name
    folder = Corpus(tmp_path).bundle_path(pretrained_id())
    assert Bundle.load(folder).states.states == pretrained_bundle().states.states
    names = {path.name for path in PRETRAINED_FOLDER.iterdir() if path.suffix in {".json", ".npz"}}
    assert {path.name for path in folder.iterdir()} == names
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert choose_model(tmp_path, None, Settings()) == model
    assert newest_bundle(Corpus(tmp_path)) is None  # only trained bundles replace a lost champion
    with pytest.raises(ModelError, match=r"models:/songform/1.* no model has been trained in .*songform train"):
        choose_model(tmp_path, "models:/songform/1", Settings())


def test_shipped_model_can_be_named_beside_a_champion(trained, quick):
    model = choose_model(trained.home, "pretrained", quick)
    assert is_pretrained(model.model_id)
    assert not model.is_champion


def test_damaged_copy_of_the_shipped_model_is_renamed_and_copied_again(tmp_path):
    choose_model(tmp_path, None, Settings())
    folder = Corpus(tmp_path).bundle_path(pretrained_id())
    (folder / "states.npz").write_bytes(b"zz")
    (problem,) = choose_model(tmp_path, None, Settings()).problems
    assert "states.npz" in problem
    assert f"{folder.name}.damaged-1" in problem
    assert Bundle.load(folder).states.states == pretrained_bundle().states.states


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"frames": {"hop_length": 1024}}, "hop_length = 512.*1024"), ({"features": {"n_mfcc": 5}}, "n_mfcc = 13.*5")],
)
def test_states_are_fitted_on_the_song_if_the_shipped_model_has_other_settings(tmp_path, changed, words):
    model = choose_model(tmp_path, None, Settings.model_validate(changed))
    assert model == OWN_MODEL
    assert model.address == ""
    (note,) = model.notes
    assert "songform train" in note
    assert re.search(words, note)
    assert not (tmp_path / "data").exists()


def test_flow_can_pass_its_own_function_to_fetch_the_bundle(trained, quick):
    asked = []
    choose_model(trained.home, None, quick, fetch=lambda home, uri: asked.append((home, uri)))
    assert asked == [(trained.home, "models:/songform@champion")]


def test_model_of_an_empty_home_is_chosen_without_mlflow_and_tensorflow(tmp_path):
    program = (
        "import sys, pathlib, flows.analyze\n"
        "from tasks.models.requested_model import choose_model\n"
        "from tasks.settings import Settings\n"
        "from tasks.report.report_tracks import report_tracks\n"
        "choose_model(pathlib.Path(sys.argv[1]), None, Settings())\n"
        "print(*{'mlflow', 'tensorflow', 'keras'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize("uri", ["nonsense", "Pretrained", "models:/songform", "songform@champion", "models:/", ""])
def test_text_that_is_no_address_is_reported_with_the_valid_ones(tmp_path, uri):
    with pytest.raises(ModelError, match=r"is not the address of a model; use pretrained .*@champion.*songform ui"):
        choose_model(tmp_path, uri, Settings())


COPY = """
import sys
from pathlib import Path
from songform.bundle import Bundle
from tasks.store.bundles import keep_pretrained
from tasks.store.corpus import Corpus
folder, problems = keep_pretrained(Corpus(Path(sys.argv[1])))
assert problems == []
Bundle.load(folder)
"""


def test_processes_that_copy_the_shipped_model_at_once_all_find_it_complete(tmp_path):
    for number in range(3):
        command = [sys.executable, "-c", COPY, str(tmp_path / str(number))]
        processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
        assert [process.communicate()[1] for process in processes] == [""] * 4
        assert {process.returncode for process in processes} == {0}
