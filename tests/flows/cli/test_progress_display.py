from __future__ import annotations

import io

import pytest
from rich.console import Console

from flows.cli.progress_display import STAGES, progress_display
from tasks.progress import announce


@pytest.fixture(params=[True, False], ids=["in a terminal", "elsewhere"])
def console(request):
    return Console(file=io.StringIO(), force_terminal=request.param, width=100, legacy_windows=False)


def test_every_announced_stage_is_shown_with_a_name(console):
    with progress_display(console):
        for stage in STAGES:
            announce(stage, 1, 2, "something")
    for name in STAGES.values():
        assert name in console.file.getvalue()


def test_untrusted_title_is_not_markup_and_cannot_control_the_terminal(console):
    with progress_display(console):
        announce("download", 1, None, "[bold]Là\x07\u202e-bas[/bold] \\")
        announce("download", 2, 2, "[bold]Là\x07\u202e-bas[/bold] \\")
        announce("features", 1, 2, "[/]")
    shown = console.file.getvalue()
    assert not {"\x07", "\u202e"} & set(shown)


def test_without_a_terminal_each_stage_is_one_line():
    console = Console(file=io.StringIO(), width=100)
    with progress_display(console):
        for done in range(100):
            announce("features", done, 100, "So What")
        announce("training", 1, 2)
    assert console.file.getvalue() == "Extracting features ...\nTraining ...\n"


def test_no_progress_is_shown_after_the_block(console):
    with progress_display(console):
        pass
    before = console.file.getvalue()
    announce("features", 1, 2, "So What")
    assert console.file.getvalue() == before
