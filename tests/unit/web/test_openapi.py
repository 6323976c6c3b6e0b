"""The OpenAPI document tells of every call what the server does, and of nothing that it does not do."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flask.testing import FlaskClient
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from hermes.access import key_fields, token_fields
from hermes.access.guard import ANYONE, OPEN
from hermes.access.key_fields import new_key
from hermes.core.channel import CONTROL_CHANNEL, MAX_NAME, name_problem, pattern_problem
from hermes.core.event import FIELDS, event_from_fields
from hermes.core.filter import OPERATORS, compile_filter
from hermes.core.sse import Frame
from hermes.errors import InvalidInput, RequestError
from hermes.runtime import Runtime
from hermes.streaming.query import STREAM_NAMES, parse_query
from hermes.testing import read_frames, running
from hermes.web import audit, channels, connections, keys
from hermes.web.events import READ_NAMES
from hermes.web.openapi import shared
from hermes.web.openapi.document import SECTIONS, calls_of
from hermes.web.openapi.filters import OPERANDS
from hermes.web.openapi.security import SCHEMES

STATIC = Path(__file__).resolve().parents[3] / "static"
FOLDER = STATIC / "docs"
PAGES = {"pages", "reference.page"}  # what people look at: no part of the API

Document = dict[str, Any]


@pytest.fixture(scope="module")
def hermes() -> Iterator[tuple[Runtime, FlaskClient]]:
    with running(presence_channels=("a",)) as made:
        yield made


@pytest.fixture(scope="module")
def document(hermes: tuple[Runtime, FlaskClient]) -> Document:
    answer = hermes[1].get("/api/v1/openapi.json")
    assert answer.status_code == 200
    found: Document = answer.json
    return found


@pytest.fixture(scope="module")
def served(hermes: tuple[Runtime, FlaskClient]) -> dict[str, Any]:
    """The rule of every call that is no page."""
    return {
        name: rule
        for name, rule in calls_of(hermes[1].application)
        if not PAGES & {rule.endpoint, rule.endpoint.partition(".")[0]}
    }


def operations(document: Document) -> dict[str, Document]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def parameters(operation: Document, place: str) -> dict[str, Document]:
    return {one["name"]: one for one in operation["parameters"] if one["in"] == place}


def validator(document: Document, schema: Document) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def named(document: Document, name: str) -> jsonschema_rs.Validator:
    return validator(document, {"$ref": f"#/components/schemas/{name}"})


def nodes(node: Any) -> Iterator[Document]:
    if isinstance(node, dict):
        yield node
        for part in node.values():
            yield from nodes(part)
    elif isinstance(node, list):
        for part in node:
            yield from nodes(part)


# --- the routes


def test_every_route_is_described(served: dict[str, Any], document: Document) -> None:
    assert len(served) > 8
    assert set(served) - set(operations(document)) == set()


def test_nothing_is_described_that_is_not_there(served: dict[str, Any]) -> None:
    described = [name for section in SECTIONS for name in section.calls]
    assert len(described) == len(set(described))
    assert set(described) - set(served) == set()


def test_parts_of_the_address(served: dict[str, Any], document: Document) -> None:
    for name, operation in operations(document).items():
        assert set(parameters(operation, "path")) == served[name].arguments, name
        assert re.findall(r"{(\w+)}", name) == list(parameters(operation, "path")), name


def test_who_may_call(hermes: tuple[Runtime, FlaskClient], served: dict[str, Any], document: Document) -> None:
    for name, operation in operations(document).items():
        view = hermes[1].application.view_functions[served[name].endpoint]
        assert (operation["security"] == []) == (view.guard == OPEN), name
        assert ({} in operation["security"]) == (view.guard == ANYONE), name
        assert ({"token": []} in operation["security"]) == getattr(view, "is_stream", False), name
        assert ("401" in operation["responses"]) == (view.guard != OPEN), name


def test_the_parameters_of_streams_and_of_reading(document: Document) -> None:
    found = operations(document)
    for path in ("/api/v1/events/stream", "/events", "/events/authenticated"):
        names = set(parameters(found[f"GET {path}"], "query"))
        assert names | {SCHEMES["token"]["name"]} == STREAM_NAMES
    assert set(parameters(found["GET /api/v1/events"], "query")) == READ_NAMES


@pytest.mark.parametrize(
    ("call", "names"),
    [
        ("GET /api/v1/connections", connections.LIST_NAMES),
        ("GET /api/v1/channels", channels.LIST_NAMES),
        ("GET /api/v1/channels/{name}/presence", channels.LIST_NAMES),
        ("GET /api/v1/channels/{name}", {"limit"}),
        ("GET /api/v1/keys", keys.LIST_NAMES),
        ("GET /api/v1/audit", audit.NAMES),
    ],
)
def test_the_parameters_of_lists(
    hermes: tuple[Runtime, FlaskClient], document: Document, call: str, names: set[str]
) -> None:
    found = parameters(operations(document)[call], "query")
    assert set(found) == names
    path, most = call.removeprefix("GET ").format(name="a"), found["limit"]["schema"]["maximum"]
    assert hermes[1].get(path, query_string={"limit": most}).status_code == 200
    for limit in (0, most + 1):
        assert hermes[1].get(path, query_string={"limit": limit}).status_code == 400


def test_the_fields_of_an_event_and_the_operators_of_a_filter(document: Document) -> None:
    assert list(document["components"]["schemas"]["NewEvent"]["properties"]) == list(FIELDS)
    assert list(OPERANDS) == list(OPERATORS)


def test_the_fields_of_keys_and_tokens(document: Document) -> None:
    schemas = document["components"]["schemas"]
    assert set(schemas["NewKey"]["properties"]) == set(key_fields.NAMES)
    assert set(schemas["NewToken"]["properties"]) == set(token_fields.NAMES)


# --- the document


def problems(document: Document) -> list[str]:
    return [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(document)]


def test_it_is_valid(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    assert problems(document) == []
    for schema in document["components"]["schemas"].values():
        validator(document, schema)  # raises where it is no schema


@pytest.mark.parametrize(
    "harm",
    [
        lambda document: document.pop("info"),
        lambda document: document["paths"]["/api/v1/events"]["get"].update(responses=[]),
        lambda document: document["paths"]["/api/v1/events"]["get"]["parameters"][0].pop("schema"),
    ],
)
def test_validity_can_fail(hermes: tuple[Runtime, FlaskClient], harm: Any) -> None:
    document = hermes[1].get("/api/v1/openapi.json").json
    harm(document)
    assert problems(document)


def test_a_schema_that_is_none_is_seen(document: Document) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        validator(document, {"type": "text"})


def test_references_lead_somewhere_and_nothing_is_left_over(document: Document) -> None:
    used = {node["$ref"] for node in nodes(document) if "$ref" in node}
    components = {
        f"#/components/{kind}/{name}" for kind in ("schemas", "responses") for name in document["components"][kind]
    }
    errors = {name for name in components if "/responses/" in name}
    assert used - components == set()
    assert components - used - errors == set()


def test_names_are_there_and_unique(document: Document) -> None:
    found = operations(document).values()
    assert len({operation["operationId"] for operation in found}) == len(found)
    assert {tag for operation in found for tag in operation["tags"]} == {tag["name"] for tag in document["tags"]}
    for operation in found:
        assert operation["summary"].endswith("."), operation["operationId"]
        assert not re.search(r"``|:\w+:`", operation["summary"]), operation["operationId"]
        assert all(one["description"] for one in operation["parameters"])


def test_links_lead_to_calls(document: Document) -> None:
    calls = {operation["operationId"]: operation for operation in operations(document).values()}
    links = [link for node in nodes(document) for link in node.get("links", {}).values()]
    assert links
    for link in links:
        assert set(link["parameters"]) <= {one["name"] for one in calls[link["operationId"]]["parameters"]}


def test_every_error_code(document: Document) -> None:
    def codes(error: type[RequestError]) -> Iterator[tuple[str, str]]:
        yield str(error.status), error.code
        for kind in error.__subclasses__():
            yield from codes(kind)

    for status, code in codes(RequestError):
        response = document["components"]["responses"][f"Error{status}"]
        body = response["content"]["application/json"]["schema"]["properties"]["error"]
        assert code in body["properties"]["code"]["enum"]


# --- its bounds are the code's


@pytest.mark.parametrize(
    ("pattern", "problem"), [(shared.NAME_PATTERN, name_problem), (shared.PATTERN_PATTERN, pattern_problem)]
)
def test_characters_of_names(pattern: str, problem: Any) -> None:
    compiled = re.compile(pattern)
    characters = [chr(code) for code in range(0x10000) if not 0xD800 <= code <= 0xDFFF]
    assert [ord(one) for one in characters if bool(compiled.search(one)) == bool(problem(one))] == []


def taken(args: dict[str, str], most: int = 100) -> bool:
    try:
        parse_query(args, None, most)
    except InvalidInput:
        return False
    return True


def test_bounds_of_the_query(hermes: tuple[Runtime, FlaskClient], document: Document) -> None:
    most = hermes[0].settings.max_channels
    found = parameters(operations(document)["GET /api/v1/events/stream"], "query")
    for name in ("limit", "wait"):
        schema = found[name]["schema"]
        assert taken({name: str(schema["minimum"])})
        assert taken({name: str(schema["maximum"])})
        assert not taken({name: str(schema["minimum"] - 1)})
        assert not taken({name: str(schema["maximum"] + 1)})
        assert getattr(parse_query({}, None, most), name) == schema["default"]
    for name, schema in {
        "channels": document["components"]["schemas"]["Channels"],
        "types": found["types"]["schema"],
    }.items():
        entries = [f"c{number}" for number in range(schema["maxItems"] + 1)]
        assert taken({name: ",".join(entries[:-1])}, most)
        assert not taken({name: ",".join(entries)}, most)
    for name in ("overflow", "retained", "envelope", "poll", "missing"):
        assert all(taken({name: value}) for value in found[name]["schema"]["enum"])
        assert not taken({name: "else"})
    assert found["overflow"]["schema"]["default"] == "resume"
    assert found["retained"]["schema"]["default"] == parse_query({}, None, most).retained


LONG = "x" * MAX_NAME


@pytest.mark.parametrize(
    "fields",
    [
        {"channel": "a"},
        {"channels": ["a", "b"], "type": "t", "data": {"n": [1, None]}, "exclude": ["c"], "idempotency_key": "k"},
        {"channel": LONG, "type": LONG, "key": LONG},
        {"channel": "a", "key": None, "ttl": 5, "exclude": None, "idempotency_key": None},
        {"channel": "a", "ttl": 366 * 86_400},
        {"channel": "user:1", "key": "k"},
        {},
        {"channel": "a", "channels": ["b"]},
        {"channels": []},
        {"channels": [f"c{number}" for number in range(11)]},
        {"channel": f"{LONG}x"},
        {"channel": ""},
        {"channel": "a b"},
        {"channel": "a,b"},
        {"channel": "a*"},
        {"channel": CONTROL_CHANNEL},
        {"channel": "presence:a"},
        {"channel": "a", "type": "reset"},
        {"channel": "a", "type": "hermes.x"},
        {"channel": "a", "type": None},
        {"channel": "a", "key": "k", "ttl": 5},
        {"channel": "a", "key": ""},
        {"channel": "a", "key": f"{LONG}x"},
        {"channel": "a", "key": "a\nb"},
        {"channel": "a", "key": 1},
        {"channel": "a", "ttl": 0},
        {"channel": "a", "ttl": True},
        {"channel": "a", "ttl": 366 * 86_400 + 1},
        {"channel": "a", "exclude": ["c"] * 101},
        {"channel": "a", "exclude": "c"},
        {"channel": "a", "idempotency_key": ""},
        {"channel": "a", "colour": "red"},
        ["a"],
        None,
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_an_event_that_may_be_published(document: Document, fields: Any) -> None:
    try:
        event_from_fields(fields, 0)
        accepted = True
    except InvalidInput:
        accepted = False
    assert named(document, "NewEvent").is_valid(fields) is accepted


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"a": 1, "b.c.d": None, "e": "x", "f": True},
        {"a": [1, "x", None, False]},
        {"a": {"gte": 1, "lt": "x"}, "b": {"in": [1]}, "c": {"nin": []}, "d": {"prefix": ""}, "e": {"exists": False}},
        {"a": {"eq": None, "ne": 1}},
        {"a.b.c.d": 1},
        {"a..b": 1},
        {"": 1},
        {"a": {}},
        {"a": {"like": "x"}},
        {"a": {"gt": True}},
        {"a": {"gt": None}},
        {"a": {"in": "x"}},
        {"a": {"in": [[1]]}},
        {"a": [{}]},
        {"a": {"eq": []}},
        {"a": {"prefix": 1}},
        {"a": {"exists": 1}},
        {str(number): 1 for number in range(21)},
        [],
        "x",
    ],
    ids=lambda filters: str(filters)[:60],
)
def test_a_filter_that_may_be_asked_for(document: Document, filters: Any) -> None:
    try:
        compile_filter(filters)
        accepted = True
    except InvalidInput:
        accepted = False
    assert named(document, "Filters").is_valid(filters) is accepted


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "shop"},
        {"name": "n" * 100, "subscribe": ["orders:*", "user:{sub}"], "publish": None, "admin": True, "tokens": False},
        {"name": "a", "expires_in": 1, "expires_at": None},
        {"name": "a", "expires_at": "2030-12-31T23:59:59Z"},
        {},
        {"name": ""},
        {"name": "  "},
        {"name": "n" * 101},
        {"name": "a\nb"},
        {"name": None},
        {"name": "a", "admin": None},
        {"name": "a", "tokens": "yes"},
        {"name": "a", "subscribe": "orders"},
        {"name": "a", "subscribe": ["a b"]},
        {"name": "a", "subscribe": [""]},
        {"name": "a", "publish": ["hermes:status"]},
        {"name": "a", "publish": [str(number) for number in range(101)]},
        {"name": "a", "expires_in": 0},
        {"name": "a", "expires_in": True},
        {"name": "a", "expires_in": 10 * 366 * 86_400 + 1},
        {"name": "a", "expires_in": 5, "expires_at": "2030-12-31T23:59:59Z"},
        {"name": "a", "colour": "red"},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_a_key_that_may_be_made(document: Document, fields: Any) -> None:
    try:
        new_key(fields, 1_800_000_000_000)
        accepted = True
    except InvalidInput:
        accepted = False
    assert named(document, "NewKey").is_valid(fields) is accepted


@pytest.mark.parametrize(
    "fields",
    [
        {"user_id": "42"},
        {"user_id": "42", "subscribe": ["orders:{sub}"], "publish": [], "ttl": 1},
        {"user_id": None, "subscribe": ["a"], "ttl": None},
        {"publish": ["a"], "ttl": 86_400},
        {},
        {"user_id": None, "subscribe": []},
        {"user_id": ""},
        {"user_id": "a b"},
        {"user_id": "u" * 251},
        {"user_id": 42},
        {"user_id": "42", "ttl": 0},
        {"user_id": "42", "ttl": 86_401},
        {"user_id": "42", "ttl": True},
        {"user_id": "42", "subscribe": ["hermes:*"]},
        {"user_id": "42", "admin": True},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_a_token_that_may_be_made(hermes: tuple[Runtime, FlaskClient], document: Document, fields: Any) -> None:
    answer = hermes[1].post("/api/v1/tokens", json=fields)
    assert answer.status_code in (201, 400)
    assert named(document, "NewToken").is_valid(fields) is (answer.status_code == 201)


# --- what comes out


def test_the_frames_of_a_stream(hermes: tuple[Runtime, FlaskClient], document: Document) -> None:
    runtime, client = hermes
    runtime.publisher.publish("frames", {"n": 1}, key="k")
    for query in ("", "&last_event_id=earliest", "&last_event_id=lost-1", "&envelope=1&retained=1"):
        answer = client.get(f"/api/v1/events/stream?channels=frames{query}")
        frames = read_frames(answer.iter_encoded(), 3)
        answer.close()
        assert len(frames) == 3
        for frame in frames:
            assert_is_one(document, frame)


def test_the_frame_of_a_refusal(
    hermes: tuple[Runtime, FlaskClient], document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, client = hermes
    monkeypatch.setattr(runtime.registry, "max_connections", 0)
    answer = client.get("/api/v1/events/stream?channels=public:a")
    (frame,) = read_frames(answer.iter_encoded(), 1)
    assert frame.data["code"] == "MAX_CONNECTIONS"
    assert_is_one(document, frame)


def assert_is_one(document: Document, frame: Frame) -> None:
    """The frame fits one of the document's, and its data the schema of that one's."""
    fields = {"event": frame.type, "data": frame.text, **frame.fields, **({"id": frame.id} if frame.id else {})}
    variants = document["components"]["schemas"]["Frame"]["anyOf"]
    (variant,) = [one for one in variants if validator(document, one).is_valid(fields)]
    validator(document, variant["properties"]["data"]["contentSchema"]).validate(frame.data)


# --- the page


def test_only_known_callers_see_it(hermes: tuple[Runtime, FlaskClient]) -> None:
    stranger = hermes[1].application.test_client()
    for path in ("/api/v1/openapi.json", "/docs"):
        assert stranger.get(path).status_code == 401
        with hermes[1].get(path) as answer:
            assert answer.status_code == 200


def test_the_page_keeps_the_policy(hermes: tuple[Runtime, FlaskClient]) -> None:
    with hermes[1].get("/docs") as answer:
        assert answer.content_type == "text/html; charset=utf-8"
        policy, text = answer.headers["Content-Security-Policy"], answer.get_data(as_text=True)
    assert "default-src 'none'; script-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r'\sstyle="|\son\w+="|<style|javascript:|<script(?![^>]*\ssrc=)', text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text), "nothing from elsewhere"


def test_its_files_are_there_and_preloaded(hermes: tuple[Runtime, FlaskClient]) -> None:
    text = (FOLDER / "index.html").read_text()
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
        with hermes[1].get(path) as answer:
            assert answer.status_code == 200, path
    preloaded = set(re.findall(r'<link rel="modulepreload" href="/static/([^"]+)">', text))
    assert preloaded == imported(FOLDER / "main.js", set()) - {"docs/main.js"}


def imported(path: Path, found: set[str]) -> set[str]:
    """A module and all that it imports, by their paths within static/."""
    name = str(path.relative_to(STATIC))
    if name not in found:
        found.add(name)
        for target in re.findall(r'^import\b[^;]*?from "([^"]+)"', path.read_text(), re.MULTILINE):
            imported((path.parent / target).resolve(), found)
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.js")), ids=lambda path: path.name)
def test_a_module_makes_no_markup_of_text(path: Path) -> None:
    text = path.read_text()
    assert re.match(r"// [A-Z]", text), "begins with what lives here"
    parsing = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|DOMParser|createContextualFragment"
    assert not re.search(rf"{parsing}|\beval\b|new Function", text)
