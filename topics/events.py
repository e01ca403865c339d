"""The contract: what a usage event, a void and an adjustment are, field by field.

Shapes  Frozen models. On the wire the same fields stand in a CloudEvents 1.0 envelope (`ENVELOPE_FIELDS`) and its
        `data` (all others); see topics/encodings/. `docs/schemas/` is exported from here.
Units   quantities in the meter's own unit, at most 6 decimals; amounts in the price book's currency, at most 12.
Errors  pydantic's ValidationError; where a value is refused, the error's type is a `Reason`.
Change  additive only inside v1: a new field is optional, a field never changes its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from topics.problems import problem, shown
from topics.quantities import amount, quantity_decimal, quantity_millionths
from topics.reasons import Reason
from topics.times import moment, parse_time

SPECVERSION = "1.0"
ENVELOPE_FIELDS = ("id", "source", "time", "traceparent")  # beside specversion, type, subject and datacontenttype
TEXT_BYTES_MAX = 256
NOTE_BYTES_MAX = 1024
METERS = "meters"  # validation context: the names of the meters that may be used

CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
METER_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_MOMENT_SCHEMA = {"type": "string", "format": "date-time", "minLength": 1}
_QUANTITY_TEXT = r"^[0-9]+(\.[0-9]+)?$"
_AMOUNT_TEXT = r"^-?[0-9]+(\.[0-9]{1,12})?$"
_CURRENCY = re.compile(r"[A-Z]{3}")


class Mode(StrEnum):
    """The service tier as it was served, not as it was asked for."""

    STANDARD = "standard"
    BATCH = "batch"
    FLEX = "flex"
    PRIORITY = "priority"


class Route(StrEnum):
    """Whether the first choice answered."""

    PRIMARY = "primary"
    FALLBACK = "fallback"


class Status(StrEnum):
    """How the request ended; an aborted one is billed for what was served."""

    COMPLETED = "completed"
    ABORTED = "aborted"
    FAILED = "failed"


class UsageSource(StrEnum):
    """Who counted: the provider's response, or an estimate where a stream ended without counts."""

    PROVIDER = "provider"
    ESTIMATED = "estimated"


def _bounded(text: str, bytes_max: int) -> str:
    if CONTROL_CHARACTERS.search(text):
        raise problem(Reason.CONTROL_CHARACTER, f"is {shown(text)}: remove the control characters")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise problem(Reason.INVALID_UTF8, "holds half of a surrogate pair, which is no character: remove it") from None
    if size > bytes_max:
        raise problem(Reason.FIELD_TOO_LONG, f"is longer than {bytes_max} bytes ({shown(text)}): shorten it")
    return text


def _text(text: str) -> str:
    return _bounded(text, TEXT_BYTES_MAX)


def _note(text: str) -> str:
    return _bounded(text, NOTE_BYTES_MAX)


def _currency(text: str) -> str:
    if not _CURRENCY.fullmatch(_required(text)):
        raise problem(Reason.INVALID_VALUE, f"is {shown(text)}: it must be three capital letters, such as USD")
    return text


def _required(text: str) -> str:
    if not text:
        raise problem(Reason.EMPTY_FIELD, "is empty: give it a value")
    return _text(text)


def _address(text: str) -> str:
    if "/" in _required(text):
        raise problem(Reason.INVALID_VALUE, f"is {shown(text)}: it must not contain a slash, which parts the subject")
    return text


def _choice(choices: type[StrEnum]) -> Any:
    """A validator for one of a few words."""
    words = {choice.value: choice for choice in choices}

    def check(value: object) -> StrEnum:
        if not isinstance(value, str):
            raise problem(Reason.WRONG_FIELD_TYPE, f"is {shown(value)}: send a string")
        if value not in words:
            raise problem(Reason.INVALID_VALUE, f"is {shown(value)}: it must be one of {', '.join(words)}")
        return words[value]

    return PlainValidator(check, json_schema_input_type=choices)


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise problem(Reason.NAIVE_TIME, f"is {value.isoformat()}, which has no offset: give it a tzinfo")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise problem(Reason.INVALID_TIME, f"is {value}, outside of the years 1 to 9999 in UTC") from None
    if isinstance(value, str):
        if not value:
            raise problem(Reason.EMPTY_FIELD, "is empty: give it a value")
        return moment(parse_time(value))
    raise problem(Reason.WRONG_FIELD_TYPE, f"is {shown(value)}: send RFC 3339 text, such as 2026-01-31T12:00:00.5Z")


def valid_traceparent(value: object) -> str:
    """A W3C trace context `traceparent`; "" for anything else, because a trace is no reason to lose usage."""
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else ""


def _usage(value: object, info: ValidationInfo) -> dict[str, Decimal]:
    if not isinstance(value, Mapping):
        raise problem(Reason.WRONG_FIELD_TYPE, f"is {shown(value)}: send an object of meter names and quantities")
    if not value:
        raise problem(Reason.NO_USAGE, "is empty: name at least one meter, its quantity may be 0")
    context: Mapping[str, Any] = info.context or {}
    known: Container[str] | None = context.get(METERS)
    usage: dict[str, Decimal] = {}
    problems: list[PydanticCustomError] = []
    for meter, quantity in value.items():
        try:
            _check_meter(meter, known)
            usage[meter] = quantity_decimal(quantity_millionths(quantity))
        except PydanticCustomError as error:
            problems.append(problem(Reason(error.type), f".{shown_meter(meter)} {error.message()}"))
    if problems:
        raise first_problem(problems)
    return usage


def shown_meter(meter: object) -> str:
    """A meter's name as it stands in a sentence."""
    return meter if isinstance(meter, str) and METER_NAME.fullmatch(meter) else shown(meter)


def first_problem(problems: list[PydanticCustomError]) -> PydanticCustomError:
    """The one whose reason stands first in `Reason`."""
    return min(problems, key=lambda error: PRECEDENCE[Reason(error.type)])


PRECEDENCE = {reason: place for place, reason in enumerate(Reason)}


def _check_meter(meter: object, known: Container[str] | None) -> None:
    if not isinstance(meter, str) or not METER_NAME.fullmatch(meter):
        raise problem(Reason.UNKNOWN_METER, "is no meter name: small letters, digits and underscores")
    if known is not None and meter not in known:
        raise problem(Reason.UNKNOWN_METER, "is not in the catalogue: declare the meter, or correct its name")


Text = Annotated[str, AfterValidator(_text)]
RequiredText = Annotated[str, AfterValidator(_required)]
Address = Annotated[str, AfterValidator(_address)]
Note = Annotated[str, AfterValidator(_note)]
Name = Annotated[
    str,
    AfterValidator(_required),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX}),
]
CurrencyCode = Annotated[
    str, AfterValidator(_currency), WithJsonSchema({"type": "string", "pattern": f"^{_CURRENCY.pattern}$"})
]
Traceparent = Annotated[str, BeforeValidator(valid_traceparent)]
Moment = Annotated[datetime, PlainValidator(_moment), WithJsonSchema(_MOMENT_SCHEMA)]
Amount = Annotated[Decimal, PlainValidator(amount), WithJsonSchema({"type": "string", "pattern": _AMOUNT_TEXT})]
Usage = Annotated[
    dict[str, Decimal],
    PlainValidator(_usage),
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": f"^{METER_NAME.pattern}$"},
            "additionalProperties": {
                "anyOf": [
                    {"type": "number", "minimum": 0, "maximum": 10**12},
                    {"type": "string", "pattern": _QUANTITY_TEXT},
                ]
            },
        }
    ),
]


class Event(BaseModel):
    """What every event has. An optional field that is null or absent has its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    TYPE: ClassVar[str]

    id: RequiredText = Field(description="Identifies the event together with `source`, for ever; 1 to 256 bytes.")
    source: RequiredText = Field(description="Who published it, a URI reference such as `gateway/eu-1`; to 256 bytes.")
    time: Moment = Field(description="When the usage happened: RFC 3339 with offset, microseconds count.")
    traceparent: Traceparent = Field(
        default="", description="W3C trace context, carried along; malformed counts as absent."
    )
    builder: Address = Field(description="Whose app it is; 1 to 256 bytes, no slash.")
    tenant: Address = Field(description="The Builder's customer who pays; 1 to 256 bytes, no slash.")

    @property
    def subject(self) -> str:
        """`builder/tenant`: the CloudEvents subject, and as UTF-8 the Kafka key."""
        return f"{self.builder}/{self.tenant}"

    @property
    def key(self) -> bytes:
        """The Kafka key."""
        return self.subject.encode()

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {name: value for name, value in fields.items() if value is not None or name not in optional}


class UsageEvent(Event):
    """What was used, in disjoint meters: no quantity is contained in another, so they add up."""

    TYPE: ClassVar[str] = "ai.usage.v1"

    workspace: Text = Field(default="", description="The tenant's workspace; at most 256 bytes.")
    deployment: Text = Field(default="", description="The deployment of the app; at most 256 bytes.")
    feature: Text = Field(default="", description="The feature of the app that used it; at most 256 bytes.")
    workflow: Text = Field(default="", description="The workflow it is part of; at most 256 bytes.")
    action: Text = Field(default="", description="The step of the workflow; at most 256 bytes.")
    business_unit: Text = Field(default="", description="The tenant's cost centre; at most 256 bytes.")
    outcome: Text = Field(
        default="", description="What came of it for the tenant, such as `resolved`; at most 256 bytes."
    )
    provider: Text = Field(default="", description="Who served the inference; at most 256 bytes.")
    model: Text = Field(default="", description="The model that served; at most 256 bytes.")
    requested_model: Text = Field(default="", description="The model that was asked for; at most 256 bytes.")
    mode: Annotated[Mode, _choice(Mode)] = Field(default=Mode.STANDARD, description="The service tier as served.")
    route: Annotated[Route, _choice(Route)] = Field(
        default=Route.PRIMARY, description="Whether the first choice answered."
    )
    region: Text = Field(default="", description="Where it was served; at most 256 bytes.")
    status: Annotated[Status, _choice(Status)] = Field(default=Status.COMPLETED, description="How the request ended.")
    usage_source: Annotated[UsageSource, _choice(UsageSource)] = Field(
        default=UsageSource.PROVIDER, description="Who counted the usage."
    )
    usage: Usage = Field(
        description="Meter to quantity in the meter's unit: 0 to 10^12, at most 6 decimals, number or decimal string."
    )


class _TargetedEvent(Event):
    """An event about an earlier usage event of the same subject."""

    target_source: RequiredText = Field(description="`source` of the event it is about.")
    target_id: RequiredText = Field(description="`id` of the event it is about.")


class VoidEvent(_TargetedEvent):
    """Takes an earlier event back, amount by amount."""

    TYPE: ClassVar[str] = "ai.usage.void.v1"

    reason: Note = Field(default="", description="Why, in words; at most 1,024 bytes.")


class Amounts(BaseModel):
    """A signed difference, three-sided: customer_charge = provider_reward + platform_fee + builder_earnings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    customer_charge: Amount = Field(description="Added to what the tenant pays; currency units, at most 12 decimals.")
    provider_reward: Amount = Field(description="Added to what the provider earns; currency units.")
    platform_fee: Amount = Field(description="Added to what the platform keeps; currency units.")
    builder_earnings: Amount = Field(description="Added to what the Builder earns; currency units, may be negative.")

    @model_validator(mode="after")
    def _balanced(self) -> Amounts:
        parts = self.provider_reward + self.platform_fee + self.builder_earnings
        if parts != self.customer_charge:
            raise problem(
                Reason.UNBALANCED_ADJUSTMENT,
                f"do not add up: provider_reward + platform_fee + builder_earnings is {parts}, "
                f"customer_charge {self.customer_charge}",
            )
        return self


class Pricing(BaseModel):
    """Whose difference it is: the books and the rule that the usage was rated with once more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    price_version: Name = Field(description="Version of the price book; 1 to 256 bytes.")
    rule_version: Name = Field(description="Version of the surcharge rules; 1 to 256 bytes.")
    rule_id: Name = Field(
        description="The rule that set the charge; 1 to 256 bytes. Usage billed before stays under the rule it has."
    )
    currency: CurrencyCode = Field(description="ISO 4217 code of the amounts; another one than was billed is refused.")


class AdjustmentEvent(_TargetedEvent):
    """Adds a signed difference to what an earlier event was billed."""

    TYPE: ClassVar[str] = "ai.usage.adjustment.v1"

    reason: Annotated[str, AfterValidator(_required), AfterValidator(_note)] = Field(
        description="Why, in words; 1 to 256 bytes."
    )
    amounts: Amounts = Field(description="The signed difference, as decimal strings.")
    pricing: Pricing | None = Field(
        default=None, description="Given by a re-rating: what it rated with. Usage without a price is rated by it."
    )


AnyEvent = UsageEvent | VoidEvent | AdjustmentEvent
EVENT_TYPES: dict[str, type[UsageEvent] | type[VoidEvent] | type[AdjustmentEvent]] = {
    model.TYPE: model for model in (UsageEvent, VoidEvent, AdjustmentEvent)
}
