"""What is refused as a secret, and that nothing drawn at random is."""

import random
import string

import pytest

from hermes.strength import weak

WEAK = [
    "",
    "short",
    "x" * 31,
    "x" * 32,
    "0" * 64,
    "ab" * 20,
    "9f86d081884c7d65" * 2,
    "aaaaabbbbbcccccdddddeeeeeaaaaabbbbb",
    "changeme" * 4,
    "changeme-changeme-changeme-changem",
    "changemechangemechangemechangemechange",
    "0123456789abcdef0123456789abcdef",
    "0123456789abcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcba9876543210",
    "test-key-0123456789-abcdefghijklmnopqrstuvwxyz",
    "your-256-bit-secret-your-256-bit-key",
    "CHANGE_ME_PLEASE_THIS_IS_NOT_A_SECRET",
    "replace-this-with-a-long-random-string",
    "secret_secret_password_key_admin_default",
    "supersecretpasswordsupersecretpassword1",
    "qwertyuiopasdfghjklqwertyuiopasdfg",
    "insert your very long secret key here!",
    "................................",
]

GOOD = [
    "9f86d081884c7d659a2feaa0c55ad015",
    "prod-secret-9f86d081884c7d659a2feaa0c55ad015",
    "correct horse battery staple wagon nine",
    "31415926535897932384626433832795",
]


@pytest.mark.parametrize("secret", WEAK)
def test_what_anybody_would_try_is_refused(secret: str) -> None:
    reason = weak(secret)
    assert reason is not None
    assert len(secret) < 10 or secret not in reason


@pytest.mark.parametrize("secret", GOOD)
def test_what_nobody_would_is_not(secret: str) -> None:
    assert weak(secret) is None


@pytest.mark.parametrize(
    ("alphabet", "length"),
    [
        ("0123456789abcdef", 32),
        ("0123456789abcdef", 64),
        (string.digits, 32),
        (string.ascii_lowercase, 32),
        (string.ascii_letters + string.digits + "-_", 32),
        (string.ascii_letters + string.digits + "-_", 43),
        (string.ascii_letters + string.punctuation, 40),
    ],
)
def test_what_is_drawn_at_random_passes(alphabet: str, length: int) -> None:
    draw = random.Random(length)
    drawn = ("".join(draw.choices(alphabet, k=length)) for _ in range(5000))
    assert [secret for secret in drawn if weak(secret)] == []


def test_a_long_one_takes_no_time() -> None:
    assert weak("".join(random.Random(1).choices(string.ascii_letters, k=50_000))) is None
