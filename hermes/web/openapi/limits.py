"""The limits: ``/api/v1/limits``."""

from __future__ import annotations

from hermes.access.limits import FORWARDED_LATELY, MOST_REFUSED
from hermes.access.limits_overview import IN_FORCE
from hermes.web.openapi.parts import Call, Section, json_answer, listed, record, ref, text, whole

NAME = {"type": "string", "enum": list(IN_FORCE), "description": "As `details.limit` of a refusal has it."}

LIMIT = record(
    {
        "limit": NAME,
        "setting": text("The setting that holds it."),
        "value": whole(description="`0`: no limit."),
        "about": text("What it bounds."),
    }
)
REFUSED = record(
    {
        "limit": NAME,
        "who": text("A principal, an address (of IPv6 its /64) or a channel, as the limit has it."),
        "times": whole(1, description="How often since then."),
        "since": ref("Time"),
        "last": ref("Time"),
    }
)
FORWARDING = record(
    {
        "peer": text("The address that the connection came from; empty where it came by a Unix socket."),
        "last": ref("Time"),
        "trusted_proxies": whole(description="`HERMES_TRUSTED_PROXIES`: through how many it would have to have come."),
    }
)

SECTION = Section(
    "Limits",
    "What one caller may have, and who asked for more.",
    {
        "GET /api/v1/limits": Call(
            answers={
                200: json_answer(
                    "The limits.",
                    record(
                        {
                            "limits": listed(LIMIT, description="Those in force."),
                            "refused": listed(
                                REFUSED,
                                maxItems=MOST_REFUSED,
                                description="Who was refused in the last minute, the last first.",
                            ),
                            "forwarding": listed(
                                FORWARDING,
                                description="Who sent requests in the last "
                                f"{FORWARDED_LATELY / 60:.0f} minutes that were forwarded in a way that does not count, the last "
                                "first: limits by address are off for these.",
                            ),
                        }
                    ),
                )
            },
        ),
    },
)
