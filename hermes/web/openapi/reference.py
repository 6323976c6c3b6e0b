"""This document itself."""

from __future__ import annotations

from hermes.web.openapi.parts import Call, Section, json_answer

SECTION = Section(
    "Reference",
    "The API, described for programs.",
    {
        "GET /api/v1/openapi.json": Call(
            answers={200: json_answer("An OpenAPI 3.1 document.", {"type": "object", "required": ["openapi", "paths"]})}
        )
    },
)
