"""A small song of known numbers, and a reader of HTML as a browser would read it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from songform.features.frame_features import feature_columns
from songform.features.overview import Overview
from songform.pages import SongView, Sound
from songform.structure.context import CONTEXT_COLUMNS
from songform.structure.naming import STATES
from songform.structure.segments import Segment
from songform.structure.states import StateModel

VOID = {"meta", "link", "br", "input", "img", "hr", "path", "source"}


@dataclass
class Element:
    """An element: its tag, its attributes, the text directly in it, and what it stands in."""

    tag: str
    attributes: dict[str, str]
    parents: tuple[str, ...]
    text: str = ""


@dataclass
class Read(HTMLParser):
    """All elements of a page, in order; the markup must be closed as it was opened."""

    elements: list[Element] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__(convert_charrefs=True)
        self.open: list[Element] = []

    def handle_starttag(self, tag, attrs):
        """Note an element and what it stands in."""
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(e.tag for e in self.open))
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        """Note an element that is closed at once."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        """See that what ends is what began last."""
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        """Note text."""
        if self.open:
            self.open[-1].text += data

    def handle_comment(self, data):
        """Note a comment."""
        self.comments.append(data)

    def all(self, tag, **attributes):
        """Return the elements of a tag with these attributes."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [e for e in self.elements if e.tag == tag and wanted.items() <= e.attributes.items()]

    def one(self, tag, **attributes):
        """Return the only such element."""
        (element,) = self.all(tag, **attributes)
        return element


@pytest.fixture(scope="session")
def read():
    """Return the reader of a page."""

    def parse(html):
        reader = Read()
        reader.feed(html)
        reader.close()
        assert not reader.open, [element.tag for element in reader.open]
        return reader

    return parse


def tables(duration):
    """Frame features, overview and context of that many seconds, of random numbers in the right ranges."""
    rng = np.random.default_rng(0)
    n, cells, units = max(int(duration * 43), 1), max(int(duration * 10), 1), max(int(duration * 2), 1)
    names = feature_columns()
    values = rng.normal(size=(n, len(names))).astype(np.float32)
    features = pd.DataFrame(values, index=pd.Index(np.arange(n) / 43, name="time_s"), columns=names)
    wave = rng.random((cells, 2), dtype=np.float32)
    ones = np.ones((cells, 12), dtype=np.float32)
    levels = rng.integers(0, 256, (cells, 64), dtype=np.uint8)
    counts = ones[:, 0].astype(np.int32)
    overview = Overview(np.arange(cells) / 10, -wave[:, 0], wave[:, 1], levels, ones, ones[:, 0], ones[:, 0], counts)
    index = pd.Index((np.arange(units) + 0.5) / 2, name="time_s")
    context = pd.DataFrame(rng.normal(size=(units, len(CONTEXT_COLUMNS))), index=index, columns=list(CONTEXT_COLUMNS))
    posterior = rng.dirichlet(np.ones(len(STATES)), units)
    return features, overview, context, posterior


def model(states=STATES, weak=("", "", "", "not the highest in novelty", "")):
    """Return a state model with a profile and one weak name; it labels nothing."""
    n = len(states)
    empty = np.zeros((n, 0))
    profile = np.linspace(-3, 3, n * len(CONTEXT_COLUMNS)).reshape(n, len(CONTEXT_COLUMNS))
    return StateModel(
        states=states,
        **dict.fromkeys(("center", "scale", "weight"), empty[0]),
        **dict.fromkeys(("centroids", "variances"), empty),
        shares=np.full(n, 1 / n),
        profile=profile,
        **dict.fromkeys(("scores", "margins", "dwell"), np.ones(n)),
        weak=tuple(weak),
        sr=22050,
        hop_length=512,
    )


@pytest.fixture(scope="session")
def song():
    """Return the maker of a song's view: its duration, its number of segments, and whatever else is to differ."""

    def make(duration=60.0, n_segments=9, **more):
        features, overview, context, posterior = tables(duration)
        cuts = itertools.pairwise(np.linspace(0, duration, n_segments + 1).tolist())
        segments = [Segment(a, b, STATES[i % 5], (i % 10) / 10) for i, (a, b) in enumerate(cuts)]
        view = SongView(
            "file-0123456789abcdef",
            "A Song",
            "a song.mp3",
            segments,
            posterior,
            model(),
            "models:/songform/1",
            overview,
            features,
            context,
            Sound("data:audio/mpeg;base64,AAAA"),
        )
        return replace(view, **more)

    return make
