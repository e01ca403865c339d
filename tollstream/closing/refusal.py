"""Why a period is not closed: a sentence with what to do, and nothing of it counts."""

from __future__ import annotations

from tollstream.errors import UserError


class CloseRefusedError(UserError):
    """Nothing was closed; running the same again is safe."""
