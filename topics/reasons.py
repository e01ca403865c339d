"""Why an event is not billed: every reason, in order of precedence.

An event that is wrong in two ways gets the reason that stands first here, whichever decoder reads it. The codes are
part of the contract: they are stored in `dead_letters.reason`, label a metric and appear in operators' runbooks, so a
code is never renamed or given another meaning.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A stable dead-letter code; `SENTENCES` says each in words."""

    # The record as a whole
    NULL_VALUE = "null_value"
    RECORD_TOO_LARGE = "record_too_large"
    UNKNOWN_CONTENT_TYPE = "unknown_content_type"
    INVALID_UTF8 = "invalid_utf8"
    NOT_JSON = "not_json"
    NESTED_TOO_DEEP = "nested_too_deep"
    BATCH_UNREADABLE = "batch_unreadable"
    BATCH_COMPRESSED = "batch_compressed"
    BATCH_SCHEMA = "batch_schema"
    BATCH_TOO_LARGE = "batch_too_large"
    # The envelope
    NOT_CLOUDEVENTS = "not_cloudevents"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_VERSION = "unknown_version"
    # The fields
    MISSING_FIELD = "missing_field"
    WRONG_FIELD_TYPE = "wrong_field_type"
    EMPTY_FIELD = "empty_field"
    CONTROL_CHARACTER = "control_character"
    FIELD_TOO_LONG = "field_too_long"
    INVALID_VALUE = "invalid_value"
    INVALID_TIME = "invalid_time"
    NAIVE_TIME = "naive_time"
    # The address
    SUBJECT_MISMATCH = "subject_mismatch"
    KEY_MISMATCH = "key_mismatch"
    WRONG_PARTITION = "wrong_partition"
    # The quantities
    NO_USAGE = "no_usage"
    UNKNOWN_METER = "unknown_meter"
    QUANTITY_NOT_FINITE = "quantity_not_finite"
    QUANTITY_NEGATIVE = "quantity_negative"
    QUANTITY_TOO_LARGE = "quantity_too_large"
    QUANTITY_TOO_PRECISE = "quantity_too_precise"
    UNBALANCED_ADJUSTMENT = "unbalanced_adjustment"
    # Admission: judged against the record's own timestamp and the log before it
    FUTURE_TIME = "future_time"
    TOO_LATE = "too_late"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    TARGET_UNKNOWN = "target_unknown"
    TARGET_OF_OTHER_TENANT = "target_of_other_tenant"
    TARGET_NOT_USAGE = "target_not_usage"
    TARGET_ALREADY_VOIDED = "target_already_voided"
    CURRENCY_MISMATCH = "currency_mismatch"


SENTENCES: dict[Reason, str] = {
    Reason.NULL_VALUE: "The record has no value.",
    Reason.RECORD_TOO_LARGE: "The record is larger than what is read.",
    Reason.UNKNOWN_CONTENT_TYPE: "The content type is none of the three that are read.",
    Reason.INVALID_UTF8: "A text is not UTF-8.",
    Reason.NOT_JSON: "The value is not JSON.",
    Reason.NESTED_TOO_DEEP: "The JSON nests deeper than any event does.",
    Reason.BATCH_UNREADABLE: "The batch is not a whole Arrow IPC stream.",
    Reason.BATCH_COMPRESSED: "The batch compresses its own buffers, which could hide any size.",
    Reason.BATCH_SCHEMA: "A column of the batch is missing, unknown or of another type.",
    Reason.BATCH_TOO_LARGE: "The batch holds more events than a batch may.",
    Reason.NOT_CLOUDEVENTS: "The value is not a CloudEvents 1.0 event.",
    Reason.UNKNOWN_TYPE: "The event is of a type that means nothing here.",
    Reason.UNKNOWN_VERSION: "The event is of a version that this worker does not know yet.",
    Reason.MISSING_FIELD: "A required field is missing.",
    Reason.WRONG_FIELD_TYPE: "A field has another type than the contract says.",
    Reason.EMPTY_FIELD: "A required field is empty.",
    Reason.CONTROL_CHARACTER: "A text holds a control character.",
    Reason.FIELD_TOO_LONG: "A text is longer than the contract allows.",
    Reason.INVALID_VALUE: "A field has a value that it cannot have.",
    Reason.INVALID_TIME: "The time does not exist, or is not written as RFC 3339.",
    Reason.NAIVE_TIME: "The time has no offset, so nobody knows when it was.",
    Reason.SUBJECT_MISMATCH: "The subject is not builder/tenant.",
    Reason.KEY_MISMATCH: "The Kafka key is not the subject.",
    Reason.WRONG_PARTITION: "The record stands on another partition than its key belongs to.",
    Reason.NO_USAGE: "The usage names no meter.",
    Reason.UNKNOWN_METER: "A meter is not in the catalogue.",
    Reason.QUANTITY_NOT_FINITE: "A quantity is NaN or infinite.",
    Reason.QUANTITY_NEGATIVE: "A quantity is below 0.",
    Reason.QUANTITY_TOO_LARGE: "A quantity or an amount is larger than any real one.",
    Reason.QUANTITY_TOO_PRECISE: "A quantity or an amount has more decimals than are billed.",
    Reason.UNBALANCED_ADJUSTMENT: "The adjustment's three parts do not add up to the charge.",
    Reason.FUTURE_TIME: "The event claims to be from later than its arrival.",
    Reason.TOO_LATE: "The event is older than duplicates are remembered.",
    Reason.CONFLICTING_DUPLICATE: "The same source and id were accepted before with other content.",
    Reason.TARGET_UNKNOWN: "The event to correct was not accepted before this one.",
    Reason.TARGET_OF_OTHER_TENANT: "The event to correct was billed to another tenant.",
    Reason.TARGET_NOT_USAGE: "The event to correct is itself a correction.",
    Reason.TARGET_ALREADY_VOIDED: "The event to correct was taken back before.",
    Reason.CURRENCY_MISMATCH: "The event to correct was billed in another currency.",
}
