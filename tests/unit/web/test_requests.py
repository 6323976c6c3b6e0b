"""What every request passes first."""

from hermes.testing import running


def test_a_view_that_declares_nothing_needs_an_administrator() -> None:
    with running() as (_, client):
        client.application.add_url_rule("/undeclared", "undeclared", lambda: "seen")
        assert client.application.test_client().get("/undeclared").status_code == 401
        assert client.get("/undeclared").text == "seen"
