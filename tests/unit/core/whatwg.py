"""The event stream format, written down from WHATWG HTML 9.2.6 step by step, for streams that are there as a whole."""

import re
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """What a client knows at the end of a stream; an event is (type, data, last event id)."""

    events: list[tuple[str, str, str]] = field(default_factory=list)
    last_event_id: str = ""
    retry: int | None = None


def interpret(stream: bytes) -> Outcome:
    """Interpret `stream`, which may end anywhere."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = re.findall(r"([^\r\n]*)(?:\r\n|\n|\r)", text)
    outcome = Outcome()
    data, event_type, id_buffer = "", "", ""
    for line in lines:
        if line == "":
            outcome.last_event_id = id_buffer
            if data != "":
                outcome.events.append((event_type or "message", data.removesuffix("\n"), id_buffer))
            data, event_type = "", ""
            continue
        if line.startswith(":"):
            continue
        name, colon, value = line.partition(":")
        if colon and value.startswith(" "):
            value = value[1:]
        if name == "event":
            event_type = value
        elif name == "data":
            data += value + "\n"
        elif name == "id" and "\0" not in value:
            id_buffer = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            outcome.retry = int(value)
    return outcome
