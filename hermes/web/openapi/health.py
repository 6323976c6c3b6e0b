"""Health: alive, ready, and how many streams."""

from __future__ import annotations

from hermes.web.openapi.parts import Call, Node, Section, json_answer, record, text, whole

YES_OR_NO: Node = {"type": "boolean"}

ALIVE = Call(answers={200: json_answer("It answers.", record({"status": {"const": "ok"}}))})

READINESS = record(
    {
        "ready": YES_OR_NO,
        "parts": {"type": "object", "additionalProperties": YES_OR_NO, "description": "What it takes."},
    }
)

STREAMS = record(
    {
        "enabled": {**YES_OR_NO, "description": "Whether streams are served: `HERMES_ENABLE_SSE`."},
        "active_connections": whole(description="Streams of all processes, up to a second or two old."),
        "max_connections": whole(description="Streams that the process which answered serves at most."),
        "heartbeat_interval": {"type": "number", "description": "Seconds."},
        "process": record({"node": text("Its name."), "active_connections": whole()}, description="Which answered."),
    }
)

SECTION = Section(
    "Health",
    "For load balancers, supervisors and people.",
    {
        "GET /healthz": ALIVE,
        "GET /health": ALIVE,
        "GET /readyz": Call(answers={200: json_answer("Ready.", READINESS), 503: json_answer("Not ready.", READINESS)}),
        "GET /api/v1/events/health": Call(answers={200: json_answer("Of the fleet, and of one process.", STREAMS)}),
    },
)
