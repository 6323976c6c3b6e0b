"""Who is calling, and what he may see and publish."""

import pytest

from hermes.access.grants import Grants
from hermes.access.principal import Principal, administrator, anonymous, check_public
from hermes.errors import SettingsError


def test_nobody_sees_the_public_channels_and_nothing_else() -> None:
    nobody = anonymous(("public:*",))
    assert nobody.anonymous
    assert (nobody.subscribe, nobody.grants.publish, nobody.admin) == (("public:*",), (), False)
    assert nobody.own_channel is None
    assert not nobody.may_publish("public:a")


def test_a_user_has_a_channel() -> None:
    assert Principal("token:1", user_id="7").own_channel == "user:7"
    assert not Principal("token:1").anonymous


@pytest.mark.parametrize(
    ("grants", "channel", "may"),
    [
        (("a",), "a", True),
        (("a",), "b", False),
        (("a*",), "ab", True),
        (("*",), "user:7", False),
        (("user:*",), "user:7", True),
        (("*", "hermes:*"), "hermes:control", False),
        ((), "a", False),
    ],
)
def test_publishing(grants: tuple[str, ...], channel: str, may: bool) -> None:
    assert Principal("key:1", grants=Grants(publish=grants)).may_publish(channel) is may


def test_an_administrator_publishes_anywhere() -> None:
    assert administrator("key:1").may_publish("user:7")


@pytest.mark.parametrize("name", ["hermes:*", "hermes:status", "a b", "a" * 256])
def test_what_cannot_be_public(name: str) -> None:
    with pytest.raises(SettingsError, match=r"^HERMES_PUBLIC_CHANNELS: .*\.$"):
        check_public(("public:*", name))
    check_public(("public:*", "*", "presence:public:*"))
