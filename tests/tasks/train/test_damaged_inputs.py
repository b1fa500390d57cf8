"""Tracks that a training leaves out because their tables are missing."""

from __future__ import annotations

import pytest

from tasks.store.corpus import Corpus
from tasks.store.tables import features_config
from tasks.train.damaged_inputs import missing_inputs


@pytest.mark.parametrize(("n_missing", "many", "rest"), [(1, "1 track is", 0), (3, "3 tracks are", 0), (5, "5 t", 2)])
def test_tracks_whose_tables_are_missing_are_counted_and_the_first_are_named(home, quick, n_missing, many, rest):
    corpus = Corpus(home)
    assert missing_inputs(home, quick) == []
    records = corpus.records()[:n_missing]
    for number, record in enumerate(records):
        (corpus.data / corpus.table_names(features_config(quick), record.key)[number % 2]).unlink()
    (sentence,) = missing_inputs(home, quick)
    assert sentence.startswith(many)
    named = ", ".join(record.title for record in records[:3])
    assert f": {named} and {rest} more; run songform ingest" in sentence or f": {named}; run songform" in sentence
    assert ("more;" in sentence) == (rest > 0)


def test_tracks_that_were_never_extracted_with_these_settings_are_not_missing(home, quick, changed):
    assert missing_inputs(home, changed(quick, features={"n_mfcc": 20})) == []
