"""What schemathesis must know of this API beyond its document."""

import json
import uuid

import schemathesis
from hypothesis import strategies
from schemathesis.checks import CHECKS
from schemathesis.specs.openapi import checks as builtin

# Formats that the document names and JSON Schema does not.
for name, values in {
    "currency": ["EUR", "JPY", "RUB"],
    "locale": ["en", "pt-BR", "ru"],
    "timezone": ["Asia/Tokyo", "Europe/Moscow", "UTC"],
    # No date-time: generators of clients have no times in headers.
    "time-of-device": ["2026-05-04T12:30:00Z", "2026-05-04T15:30:00.250+03:00"],
}.items():
    schemathesis.openapi.format(name, strategies.sampled_from(values))

# Faults of several values together, or of what is stored: no schema can say them.
BEYOND_SCHEMAS = {
    "conflict",
    "duplicate",
    "forbidden_target",
    "idempotency_key_reused",
    "impossible_time",
    "invalid_characters",
    "invalid_color",
    "invalid_image",
    "invalid_phone",
    "invalid_time",
    "no_pin",
    "not_allowed",
    "prepaid",
    "wrong_currency",
    "unknown_account",
    "unknown_channel",
    "unknown_event",
    "unknown_stop",
    "unknown_text",
    "unknown_type",
    "use_assign_courier",
}
# Operations whose inputs depend on each other, which the document says in words.
DEPENDENT = {
    "bookShipment",
    "editOrder",
    "getShipmentLabel",
    "getShipmentLabels",
    "importOrders",
    "listPoints",
    "putNotificationRules",
    "quoteShipment",
    "refuseShipment",
    "replayWebhook",
    "reportEstimates",
    "reportLocation",
    "resolveShipment",
    "trackCourier",
}
# Their rows and positions are judged one by one, in an answer that is 200.
LENIENT = {"importOrders", "ingestOsmand", "ingestOsmandQuery", "ingestOwnTracks"}


def operation_id(case):
    return case.operation.definition.raw.get("operationId")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Valid requests are no repetitions, and their page tokens are not made up."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.headers and case.headers.get("If-Match") == "":
        case.headers["If-Match"] = '"v1"'  # the generator finds nothing for its pattern
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if case.query:
        case.query.pop("page_token", None)


@schemathesis.serializer("application/x-ndjson", "text/csv")
def text(context, value):
    return value if isinstance(value, (bytes, str)) else json.dumps(value)


def holds_null(value):
    if isinstance(value, dict):
        return any(map(holds_null, value.values()))
    if isinstance(value, list):
        return any(map(holds_null, value))
    return value is None


def blank(body, pointer):
    """Whether a pointer leads to a text, or from a name, of nothing but space."""
    value = body
    for step in pointer.split("/")[1:]:
        if not step.strip():
            return True
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return False
    return isinstance(value, str) and not value.strip()


def beyond_schemas(fault, body):
    if fault["pointer"] == "/expires_at" or fault["code"] == "required" and blank(body, fault["pointer"]):
        return True
    return fault["code"] in BEYOND_SCHEMAS


def positive_data_acceptance(context, response, case):
    if response.status_code == 422:
        problem = response.json()
        if problem.get("errors") and case.meta and case.meta.phase.name.value not in ("examples", "coverage"):
            return None  # random requests meet any rule; those of the other phases are the same in each run
        faults = problem.get("errors") or [{"pointer": "", "code": problem["code"]}]
        if operation_id(case) in DEPENDENT or all(beyond_schemas(fault, case.body) for fault in faults):
            return None
    return builtin.positive_data_acceptance(context, response, case)


def negative_data_rejection(context, response, case):
    # Null counts as absent, as the document says.
    if operation_id(case) in LENIENT or holds_null(case.body):
        return None
    return builtin.negative_data_rejection(context, response, case)


for check in positive_data_acceptance, negative_data_rejection:
    CHECKS.unregister(check.__name__)
    schemathesis.check(check)
