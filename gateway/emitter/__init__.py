"""The emitter: how a gateway node publishes what was used. See gateway/README.md."""

from __future__ import annotations

from gateway.emitter.bulk import BulkPublisher
from gateway.emitter.configuration import EmitterConfiguration, Encoding
from gateway.emitter.emitter import Emitter
from gateway.emitter.errors import (
    DeliveryError,
    EmitterClosedError,
    EmitterError,
    EmitterSetupError,
    InvalidEventError,
)
from gateway.emitter.receipt import Receipt
from gateway.emitter.sync import SyncEmitter

__all__ = [
    "BulkPublisher",
    "DeliveryError",
    "Emitter",
    "EmitterClosedError",
    "EmitterConfiguration",
    "EmitterError",
    "EmitterSetupError",
    "Encoding",
    "InvalidEventError",
    "Receipt",
    "SyncEmitter",
]
