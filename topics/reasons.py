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
