"""What every request passes first."""

import pytest

from hermes.access.grants import Grants
from hermes.observe.audit import REFUSE
from hermes.streaming.opening import Opener, Opening
from hermes.testing import read_frames, running


def test_a_view_that_declares_nothing_needs_an_administrator() -> None:
    with running() as (_, client):
        client.application.add_url_rule("/undeclared", "undeclared", lambda: "seen")
        assert client.application.test_client().get("/undeclared").status_code == 401
        assert client.get("/undeclared").text == "seen"


def test_who_is_revoked_while_a_stream_is_opened_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An opening may wait for the store for seconds, and the command that ends streams is heard once."""
    with running() as (runtime, client):
        key, text = runtime.keys.create("app", Grants(subscribe=("a",)))
        open_ = Opener.open

        def slowly(opener: Opener, cursor: str | None) -> Opening:
            runtime.keys.revoke(key.id)
            return open_(opener, cursor)

        monkeypatch.setattr(Opener, "open", slowly)
        headers = {"Authorization": f"Bearer {text}"}
        answer = client.get("/api/v1/events/stream?channels=a", headers=headers)
        *_, last = read_frames(answer.iter_encoded(), 10)
        assert (last.type, last.data["reason"]) == ("close", "revoked")
        page = client.get("/api/v1/events?channels=a", headers=headers)
        assert page.status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/events?", "/api/v1/events/stream?poll=1"])
def test_a_read_that_is_refused_is_noted(path: str) -> None:
    with running() as (runtime, client):
        _, text = runtime.keys.create("app", Grants(subscribe=("a",)))
        headers = {"Authorization": f"Bearer {text}"}
        assert client.get(f"{path}&channels=secret", headers=headers).status_code == 403
        (entry,) = runtime.audit.entries({"action": REFUSE}, None, 10)
        assert (entry.outcome, "secret" in entry.detail) == ("FORBIDDEN", True)
