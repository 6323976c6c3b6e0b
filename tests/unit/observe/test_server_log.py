"""What gunicorn logs of hostile requests: its own lines, made by its own code, and what is left of them."""

import io
import logging
from collections.abc import Iterator

import pytest
from gunicorn.http import errors as http_errors

from hermes.observe.redaction import Redactor
from hermes.observe.server_log import SERVER_LOG, keep_secrets_out

SECRET = "horse-battery-staple"


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    """The server's log, with the formatter that gunicorn gives it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    log = logging.getLogger(SERVER_LOG)
    log.addHandler(handler)
    level, log.level = log.level, logging.DEBUG
    keep_secrets_out(Redactor(["known-secret-0123456789"]))
    yield stream
    log.removeHandler(handler)
    log.setLevel(level)
    for one in list(log.filters):
        log.removeFilter(one)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (http_errors.InvalidRequestLine(f"{SECRET} x"), "Invalid HTTP request line"),
        (http_errors.InvalidRequestMethod(SECRET), "Invalid HTTP method"),
        (http_errors.InvalidRequestMethod(f"it's {SECRET}"), "Invalid HTTP method"),
        (http_errors.InvalidHTTPVersion(SECRET), "Invalid HTTP Version"),
        (http_errors.InvalidHeader(SECRET), "Invalid HTTP Header"),
        (http_errors.InvalidHeader(f"{SECRET}\nmore"), "Invalid HTTP Header"),
        (http_errors.InvalidHeaderName(SECRET), "Invalid HTTP header name"),
        (http_errors.ObsoleteFolding(SECRET), "Obsolete line folding is unacceptable"),
        (http_errors.ExpectationFailed(SECRET), "Unable to comply with expectation"),
        (http_errors.UnsupportedTransferCoding(SECRET), "Unsupported transfer coding"),
        (http_errors.InvalidChunkSize(SECRET.encode()), "Invalid chunk size"),
        (http_errors.ChunkMissingTerminator(SECRET.encode()), "Invalid chunk terminator is not"),
        (http_errors.InvalidProxyLine(SECRET), "Invalid PROXY line"),
        (http_errors.InvalidH2CPreface(SECRET.encode()), "Expected HTTP/2 connection preface, got"),
        (http_errors.LimitRequestLine(5000, 4094), "Request Line is too large (5000 > 4094)"),
        (http_errors.LimitRequestHeaders("limit request headers fields size"), "limit request headers fields size"),
        (http_errors.InvalidSchemeHeaders(), "Contradictory scheme headers"),
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1", "2001:db8::1"])
def test_a_request_that_was_not_understood_is_not_quoted(
    output: io.StringIO, error: Exception, said: str, address: str
) -> None:
    logging.getLogger(SERVER_LOG).warning(f"Invalid request from ip={address}: {error}")  # noqa: G004 - as gunicorn does
    assert output.getvalue() == f"[WARNING] Invalid request from ip={address}: {said}\n"


def test_the_end_of_half_a_request_is_not_quoted(output: io.StringIO) -> None:
    error = http_errors.NoMoreData(f"GET /{SECRET}".encode())
    logging.getLogger(SERVER_LOG).debug("Ignored premature client disconnection. %s", error)
    assert output.getvalue() == "[DEBUG] Ignored premature client disconnection. No more data after\n"


def test_a_failed_request_is_named_without_its_query(output: io.StringIO) -> None:
    try:
        raise ValueError(f"'/stream?token={SECRET}' with X-API-Key: {SECRET}")
    except ValueError:
        logging.getLogger(SERVER_LOG).exception("Error handling request %s %s", "GET", f"/stream?q={SECRET}")
    text = output.getvalue()
    assert SECRET not in text
    assert text.startswith("[ERROR] Error handling request GET /stream?(removed)\nTraceback")
    assert text.count("Traceback") == 1
    assert "ValueError: '/stream?(removed)' with X-API-Key: (removed)" in text


def test_other_lines_stay_as_they_are(output: io.StringIO) -> None:
    log = logging.getLogger(SERVER_LOG)
    log.info("Listening at: %s (%s)", "http://127.0.0.1:8000", 1)
    log.warning("The store is away, trying again: %s", "100 % of it")
    log.debug("%s %s", "GET", "/api/v1/events")
    assert output.getvalue().splitlines() == [
        "[INFO] Listening at: http://127.0.0.1:8000 (1)",
        "[WARNING] The store is away, trying again: 100 % of it",
        "[DEBUG] GET /api/v1/events",
    ]


def test_known_secrets_go_and_filters_do_not_pile_up(output: io.StringIO) -> None:
    log = logging.getLogger(SERVER_LOG)
    log.debug("Current configuration:\n  raw_env: ['SOME_KEY=horse']\n  user: 0\n  x: known-secret-0123456789")
    assert "horse" not in output.getvalue()
    assert "raw_env: (removed)\n  user: 0\n  x: (removed)\n" in output.getvalue()
    keep_secrets_out(Redactor(["second-secret-0123456789"]))
    assert len(log.filters) == 1
    log.debug("known-secret-0123456789 second-secret-0123456789")
    assert output.getvalue().endswith("known-secret-0123456789 (removed)\n")
