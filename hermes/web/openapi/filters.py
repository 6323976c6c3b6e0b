"""What selects events, in a stream as in history: channels, types, and filters over the data."""

from __future__ import annotations

from hermes.core.filter import MAX_BYTES, MAX_CONDITIONS, MAX_LEVELS, OPERATORS
from hermes.streaming.query import MAX_TYPES
from hermes.web.openapi.parts import Node, comma_list, json_query, listed, query, ref

SCALAR: Node = {"type": ["string", "number", "boolean", "null"]}
ORDERED: Node = {"type": ["string", "number"]}
OPERANDS: dict[str, Node] = {
    **dict.fromkeys(OPERATORS, SCALAR),
    **dict.fromkeys(("gt", "gte", "lt", "lte"), ORDERED),
    **dict.fromkeys(("in", "nin"), listed(SCALAR)),
    "prefix": {"type": "string"},
    "exists": {"type": "boolean"},
}

PATH_PATTERN = rf"^[^.]+(\.[^.]+){{0,{MAX_LEVELS - 1}}}$"

SELECTING: list[Node] = [
    comma_list(
        "channels",
        "Which channels. Left out: those of `HERMES_DEFAULT_CHANNELS` that the caller may see. A name that the caller may not "
        "see is a 403; a pattern means what of it the caller may see.",
        ref("Channels"),
    ),
    comma_list(
        "types", "Which event types, patterns allowed. Left out: all.", listed(ref("Pattern"), maxItems=MAX_TYPES)
    ),
    json_query("filters", "Conditions on the events' data.", ref("Filters")),
    query("missing", "`pass`: a field that is missing meets its condition.", {"type": "string", "enum": ["pass"]}),
]

SCHEMAS: dict[str, Node] = {
    "Filters": {
        "type": "object",
        "description": f"Dotted paths into the data, and what must hold there: all of it. At most {MAX_BYTES} bytes, and "
        f"{MAX_CONDITIONS} conditions, of which each operator is one.",
        "maxProperties": MAX_CONDITIONS,
        "propertyNames": {"pattern": PATH_PATTERN},
        "additionalProperties": {
            "anyOf": [
                {**SCALAR, "description": "The field equals it."},
                listed(SCALAR, description="The field equals one of them."),
                {
                    "type": "object",
                    "description": "Every operator holds.",
                    "minProperties": 1,
                    "properties": OPERANDS,
                    "additionalProperties": False,
                },
            ]
        },
        "examples": [{"status": "failed", "total": {"gte": 50}}],
    },
}
