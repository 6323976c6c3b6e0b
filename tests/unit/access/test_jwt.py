"""JWTs: which keys take which tokens, and what of a token counts. What is refused: tests/security/test_jwt_corpus.py."""

from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import example, given
from hypothesis import strategies as st

from hermes.access.claims import Claims, json_object
from hermes.access.grants import Grants
from hermes.access.jwt import MAX_TOKEN, OWN_KID, Verifier, configured_keys, own_token
from hermes.access.verification_key import jwk_key, public_key
from hermes.errors import SettingsError, Unauthorized
from hermes.settings import load_settings
from hermes.testing import FakeClock
from tests.security.jwt_corpus import OWN_SECRET, SECRET, jwk, part, pem, private_key, signature
from tests.unit.strategies import odd_text


def verifier(clock: FakeClock, **settings: Any) -> Verifier:
    return Verifier(load_settings(**settings), lambda: OWN_SECRET, clock, None)


def signed(clock: FakeClock, **claims: Any) -> str:
    said = {"sub": "7", "exp": clock.now() + 60, **claims}
    return jwt.encode({name: value for name, value in said.items() if value is not None}, SECRET, "HS256")


def signed_as_it_is(clock: FakeClock, **claims: Any) -> str:
    """With claims that no library would write."""
    content = part({"alg": "HS256"}) + b"." + part({"sub": "7", "exp": clock.now() + 60, **claims})
    return (content + b"." + part(signature(content, "HS256", SECRET))).decode()


def claims_of(clock: FakeClock, **claims: Any) -> Claims:
    return verifier(clock, jwt_secret=SECRET).verify(signed(clock, **claims))


# What a token says


def test_a_token_of_another_issuer(clock: FakeClock) -> None:
    grants = {"subscribe": ["news", "own:{sub}:*"], "publish": ["up:{sub}"], "admin": False}
    assert claims_of(clock, jti="j-1", hermes=grants) == Claims(
        id="j-1",
        subject="7",
        expires_at=clock.now() + 60,
        grants=Grants(("news", "own:7:*"), ("up:7",)),
    )


def test_a_token_that_grants_nothing_is_its_users_all_the_same(clock: FakeClock) -> None:
    claims = claims_of(clock)
    assert (claims.subject, claims.grants) == ("7", Grants())


def test_an_administrators(clock: FakeClock) -> None:
    assert claims_of(clock, hermes={"admin": True}).grants == Grants(admin=True)


def test_no_issuer_makes_its_tokens_ours(clock: FakeClock) -> None:
    """What only Hermes says of its tokens counts in those alone."""
    claims = claims_of(clock, iss="hermes", key="installation", mark="x")
    assert (claims.key_id, claims.key_mark) == (None, None)


def test_a_token_that_hermes_minted(clock: FakeClock) -> None:
    said = Claims("id", "7", clock.now() + 60, Grants(("a:*",), ("b",)), "key", "mark")
    token = own_token(OWN_SECRET, said, clock.now())
    assert jwt.get_unverified_header(token)["kid"] == OWN_KID
    for settings in ({}, {"jwt_secret": SECRET, "jwt_audience": "a", "jwt_issuer": "b"}):
        assert verifier(clock, **settings).verify(token) == said


def test_one_without_a_user(clock: FakeClock) -> None:
    said = Claims("id", None, clock.now() + 60, Grants(("a:*",)))
    assert verifier(clock).verify(own_token(OWN_SECRET, said, clock.now())) == said


def test_hermes_secret_signs_for_nobody_else(clock: FakeClock) -> None:
    token = jwt.encode({"sub": "7", "exp": clock.now() + 60}, OWN_SECRET, "HS256")
    for settings in ({}, {"jwt_secret": SECRET}):
        with pytest.raises(Unauthorized):
            verifier(clock, **settings).verify(token)


@pytest.mark.parametrize(("seconds", "counts"), [(59.9, True), (60, False), (61, False)])
def test_the_end(clock: FakeClock, seconds: float, counts: bool) -> None:
    token = signed(clock)
    clock.advance(seconds)
    checked = verifier(clock, jwt_secret=SECRET)
    if counts:
        checked.verify(token)
        return
    with pytest.raises(Unauthorized, match="expired"):
        checked.verify(token)


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(("ahead", "counts"), [(-60, True), (0, True), (5, True), (5.5, False), (60, False)])
def test_the_beginning(clock: FakeClock, name: str, ahead: float, counts: bool) -> None:
    if counts:
        claims_of(clock, **{name: clock.now() + ahead})
        return
    with pytest.raises(Unauthorized, match=name):
        claims_of(clock, **{name: clock.now() + ahead})


@pytest.mark.parametrize("claims", [{"iss": 7}, {"iss": ["a"]}, {"aud": 7}, {"aud": ["a", 7]}, {"aud": {}}])
def test_types_are_checked_where_nothing_is_wanted(clock: FakeClock, claims: dict[str, Any]) -> None:
    claims_of(clock, iss="anybody", aud=["anything"])
    with pytest.raises(Unauthorized, match=next(iter(claims))):
        verifier(clock, jwt_secret=SECRET).verify(signed_as_it_is(clock, **claims))


# Patterns


@pytest.mark.parametrize(
    ("sub", "pattern", "granted"),
    [
        ("7", "own:{sub}", ["own:7"]),
        ("7", "{sub}:{sub}*", ["7:7*"]),
        ("{sub}", "own:{sub}", ["own:{sub}"]),
        ("7", "{SUB}", ["{SUB}"]),
        ("7", "user:{sub}", ["user:7"]),
        ("user", "{sub}:*", []),
        ("us", "{sub}er:*", []),
        ("presence", "{sub}:*", []),
        ("hermes", "{sub}:*", []),
        ("her", "{sub}mes:control", []),
        ("7", "hermes:*", []),
        ("7", "hermes:connections", []),
        ("7", "*", ["*"]),
        ("x" * 200, "{sub}{sub}", []),
    ],
)
def test_the_subject_in_a_pattern(clock: FakeClock, sub: str, pattern: str, granted: list[str]) -> None:
    """It fills in what the issuer left open, and spells no prefix that the issuer did not spell."""
    claims = claims_of(clock, sub=sub, hermes={"subscribe": [pattern], "publish": [pattern]})
    assert list(claims.grants.subscribe) == granted
    assert list(claims.grants.publish) == granted


# Names of tokens


def test_a_token_without_a_jti_has_a_name_of_its_own(clock: FakeClock) -> None:
    names = {claims_of(clock, **more).id for more in ({}, {"n": 1}, {"jti": "a/b"}, {"jti": "x" * 200}, {"jti": "é"})}
    assert len(names) == 5
    assert all(name.startswith("sha256-") for name in names)
    assert claims_of(clock).id == claims_of(clock).id


def test_a_second_signature_is_no_second_token(clock: FakeClock) -> None:
    """(r, -s) is as good as (r, s): whoever has a revoked token must not make a fresh one of it."""
    key = private_key("p256")
    token = jwt.encode({"sub": "7", "exp": clock.now() + 60}, key, "ES256")
    content, _, text = token.rpartition(".")
    raw = jwt.utils.base64url_decode(text.encode())
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    assert decode_dss_signature(encode_dss_signature(r, s)) == (r, s)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other = f"{content}.{part(r.to_bytes(32, 'big') + (order - s).to_bytes(32, 'big')).decode()}"
    checked = verifier(clock, jwt_public_key=pem(key))
    assert other != token
    assert checked.verify(token).id == checked.verify(other).id


# Which keys


def test_several_keys_at_once(clock: FakeClock) -> None:
    checked = verifier(clock, jwt_secret=SECRET, jwt_public_key=pem(private_key("p256")))
    said = {"sub": "7", "exp": clock.now() + 60}
    for key, algorithm in ((SECRET, "HS256"), (private_key("p256"), "ES256")):
        assert checked.verify(jwt.encode(said, key, algorithm)).subject == "7"


def test_a_public_key_in_a_file(clock: FakeClock, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text(pem(private_key("rsa")))
    token = jwt.encode({"sub": "7", "exp": clock.now() + 60}, private_key("rsa"), "PS512")
    for value in (str(path), path.read_text(), path.read_text().replace("\n", "\\n")):
        assert verifier(clock, jwt_public_key=value).verify(token).subject == "7"


@pytest.mark.parametrize(
    ("kind", "algorithms"),
    [
        ("rsa", {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        ("p256", {"ES256"}),
        ("p384", {"ES384"}),
        ("p521", {"ES512"}),
        ("ed25519", {"EdDSA"}),
    ],
)
def test_the_kind_of_a_key_decides(kind: str, algorithms: set[str]) -> None:
    key = private_key(kind)
    assert set(public_key(pem(key)).algorithms) == algorithms
    published = jwk_key(jwk(key))
    assert published is not None
    assert set(published.algorithms) == algorithms
    assert published.material == public_key(pem(key)).material


def private_pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def without_newlines() -> str:
    return "".join(pem(private_key("rsa")).split("\n")[1:-2])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"jwt_public_key": "no such file.pem"}, "no file that can be read"),
        ({"jwt_public_key": "/"}, "no file that can be read"),
        ({"jwt_public_key": "a\0b"}, "no file that can be read"),
        ({"jwt_public_key": "~nobody-here/key.pem"}, "no file that can be read"),
        ({"jwt_public_key": "/dev/null"}, "no PEM text"),
        ({"jwt_public_key": "/dev/zero"}, "no PEM text"),
        ({"jwt_public_key": without_newlines}, "no file that can be read"),
        ({"jwt_public_key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"}, "no PEM text"),
        ({"jwt_public_key": lambda: private_pem(private_key("rsa"))}, "private key"),
        ({"jwt_public_key": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, "certificate"),
        ({"jwt_public_key": lambda: pem(rsa.generate_private_key(65537, 1024))}, "2048"),
        ({"jwt_public_key": lambda: pem(ec.generate_private_key(ec.SECP256K1()))}, "P-256"),
        ({"jwt_secret": "x" * 40}, "HERMES_JWT_SECRET"),
        ({"jwt_secret": "changeme-changeme-changeme-changeme"}, "HERMES_JWT_SECRET"),
        ({"jwt_secret": lambda: pem(private_key("p256"))}, "HERMES_JWT_PUBLIC_KEY"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_bad_key_is_one_sentence_at_start(settings: dict[str, Any], said: str) -> None:
    made = {name: value() if callable(value) else value for name, value in settings.items()}
    with pytest.raises(SettingsError, match=said) as error:
        configured_keys(load_settings(**made))
    assert str(error.value).count("\n") == 0
    value = next(iter(made.values()))
    assert len(value) < 10 or value[-40:] not in str(error.value), "what may be a secret is in no error"


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"alg": "HS256"},
        {"alg": "none"},
        {"alg": "ES256"},
        {"alg": ["RS256"]},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC"},
        {"kty": ["RSA"]},
        {"kty": None},
        {"kid": 7},
        {"n": None},
        {"n": 7},
        {"n": ""},
        {"n": "AAAA"},
        {"n": "!"},
        {"e": "AQ"},
        {"e": "\ud800"},
    ],
    ids=str,
)
def test_members_of_a_set_that_are_no_keys_for_tokens(change: dict[str, Any]) -> None:
    assert jwk_key(jwk(private_key("rsa"))) is not None
    assert jwk_key(jwk(private_key("rsa")) | change) is None


@pytest.mark.parametrize("entry", [None, 7, "x", [], {}, {"kty": "oct", "k": SECRET}, {"kty": "OKP", "crv": "X25519"}])
def test_what_is_no_key(entry: object) -> None:
    assert jwk_key(entry) is None


def test_a_published_key_may_say_what_it_is_for() -> None:
    key = jwk_key(jwk(private_key("rsa"), None, use="sig", key_ops=["verify"], alg="PS256"))
    assert key is not None
    assert (key.algorithms, key.kid) == (("PS256",), None)


def test_a_key_takes_no_algorithm_but_its_own(clock: FakeClock) -> None:
    """Whatever its caller has looked at before."""
    key, said = private_key("rsa"), {"sub": "7", "exp": clock.now() + 60}
    published = jwk_key(jwk(key, alg="PS256"))
    assert published is not None
    assert published.signed(jwt.encode(said, key, "PS256"))
    for algorithm in ("RS256", "PS384"):
        assert not published.signed(jwt.encode(said, key, algorithm))


def test_a_private_part_in_a_set_is_not_read() -> None:
    fields = jwt.get_algorithm_by_name("ES256").to_jwk(private_key("p256"), as_dict=True)
    assert "d" in fields
    key = jwk_key(fields)
    assert key is not None
    assert isinstance(key.material, ec.EllipticCurvePublicKey)


# No text is an error


@given(odd_text)
@example("." * 3)
@example("A" * (MAX_TOKEN + 1))
def test_no_text_is_an_error(text: str) -> None:
    checked = verifier(FakeClock(), jwt_secret=SECRET)
    for token in (text, f"{text}.{text}.{text}"):
        with pytest.raises(Unauthorized):
            checked.verify(token)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_are_an_error(header: bytes, payload: bytes) -> None:
    content = part(header) + b"." + part(payload)
    checked = verifier(FakeClock(), jwt_secret=SECRET)
    with pytest.raises(Unauthorized):
        checked.verify((content + b"." + part(b"x" * 32)).decode())


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | odd_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_text, inner, max_size=3),
    max_leaves=6,
)
_names = st.sampled_from(["exp", "nbf", "iat", "sub", "aud", "iss", "jti", "hermes"])


@given(st.dictionaries(_names, _json), st.sampled_from(["audience", "issuer", ""]))
def test_no_claims_are_an_error(claims: dict[str, Any], wanted: str) -> None:
    clock = FakeClock()
    settings = {f"jwt_{wanted}": "x"} if wanted else {}
    checked = verifier(clock, jwt_secret=SECRET, **settings)
    try:
        found = checked.verify(signed_as_it_is(clock, **claims))
    except Unauthorized:
        return
    assert isinstance(found.subject, str)
    assert clock.now() < found.expires_at < 1e12


@given(st.binary(max_size=200))
def test_json_is_read_or_refused(text: bytes) -> None:
    try:
        found = json_object(text, "payload")
    except Unauthorized:
        return
    assert isinstance(found, dict)
