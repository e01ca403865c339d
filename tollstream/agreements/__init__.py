"""The verbs about what statements are agreed on: plan books, exchange rates, credits. Append-only, by whom and why."""

from __future__ import annotations
