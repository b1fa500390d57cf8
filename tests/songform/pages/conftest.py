"""Fixtures: the contents of a page of a random song, and a parser of HTML pages."""

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
    """HTML element: tag, attributes, tags of its ancestors, and the text directly in it."""

    tag: str
    attributes: dict[str, str]
    parents: tuple[str, ...]
    text: str = ""


@dataclass
class Read(HTMLParser):
    """Parser that collects all elements of a page, in order, and requires properly nested tags."""

    elements: list[Element] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__(convert_charrefs=True)
        self.open: list[Element] = []

    def handle_starttag(self, tag, attrs):
        """Collect an element with the tags of its ancestors."""
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(e.tag for e in self.open))
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        """Collect an element that is closed immediately."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        """Check that the end tag matches the last open element."""
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        """Add text to the current element."""
        if self.open:
            self.open[-1].text += data

    def handle_comment(self, data):
        """Collect a comment."""
        self.comments.append(data)

    def all(self, tag, **attributes):
        """Return the elements with a tag and attributes."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [e for e in self.elements if e.tag == tag and wanted.items() <= e.attributes.items()]

    def one(self, tag, **attributes):
        """Return the only element with a tag and attributes."""
        (element,) = self.all(tag, **attributes)
        return element


@pytest.fixture(scope="session")
def read():
    """Return a function that parses a page."""

    def parse(html):
        reader = Read()
        reader.feed(html)
        reader.close()
        assert not reader.open, [element.tag for element in reader.open]
        return reader

    return parse


def tables(duration):
    """Return random frame features, overview, context and posterior of a song with a duration in seconds."""
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
    """Return a state model with a profile and one weak name, but without clusters."""
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
    """Return a function that makes the `SongView` of a song with a duration, a number of segments and other fields."""

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
