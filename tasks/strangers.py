"""Strangers: what they wrote - titles, addresses, messages - made safe to show on a line.

What a place needs beyond that stands where it is shown: Markdown in `tasks.artifacts`, for one.
"""

from __future__ import annotations

from songform.plaintext import plain_text

__all__ = ["plain_text"]
