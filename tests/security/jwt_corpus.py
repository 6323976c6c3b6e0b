"""Scenario 20: tokens, each made from a valid one by one change that must get it refused; written without Hermes' own checks.

An `Issuer` signs with one kind of key. A `Case` changes one thing; where it changes what is signed, the right key signs it again,
so that nothing but the change can be the reason; and it says, by a regular expression, what the reason has to be about.
"""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.ports import LOOPBACK, free_port

AUDIENCE, ISSUER = "hermes.example", "https://id.example/"
SECRET = "9f8b1c6e2a7d4053be61f0c9d2a84e7735"
OWN_SECRET = "5d0e7b3fa19c48628e4fd1b07c93a6e214"
KID = "2026-11"
ELSEWHERE_PORT = free_port()
ELSEWHERE = f"http://{LOOPBACK}:{ELSEWHERE_PORT}/keys.json"  # where nobody may ever connect to

Json = dict[str, Any]


@dataclass(frozen=True)
class Issuer:
    """Who signs: by `key`, with the algorithm of its kind. `settings` let Hermes take its tokens."""

    name: str
    algorithm: str
    key: Any
    settings: tuple[tuple[str, str], ...] = ()
    kid: str | None = None
    by_jwks: bool = False

    @property
    def own(self) -> bool:
        """Whether this is Hermes itself."""
        return self.name == "own"

    @property
    def public(self) -> bool:
        return not isinstance(self.key, str)

    def header(self, **more: Any) -> Json:
        kid = {} if self.kid is None else {"kid": self.kid}
        return {"typ": "JWT", "alg": self.algorithm, **kid, **more}

    def claims(self, now: float, **more: Any) -> Json:
        who = {"iss": "hermes", "jti": "x"} if self.own else {"iss": ISSUER, "aud": AUDIENCE}
        grants = {"subscribe": ["news", "own:{sub}"], "publish": ["news"]}
        return {**who, "sub": "7", "iat": int(now), "exp": int(now) + 600, "hermes": grants, **more}

    def sign(self, content: bytes) -> bytes:
        return signature(content, self.algorithm, self.key)

    def token(self, header: Json | bytes, claims: Json | bytes) -> str:
        """A token with these two parts, as they are, and this issuer's signature."""
        content = b".".join(map(part, (header, claims)))
        return (content + b"." + part(self.sign(content))).decode()

    def valid(self, now: float) -> str:
        return self.token(self.header(), self.claims(now))


def signature(content: bytes, algorithm: str, key: Any) -> bytes:
    made: bytes = jwt.get_algorithm_by_name(algorithm).sign(content, key.encode() if isinstance(key, str) else key)
    return made


def part(content: Json | bytes) -> bytes:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return urlsafe_b64encode(raw).rstrip(b"=")


@cache
def private_key(kind: str) -> Any:
    """A key of that kind, the same in all of a test run; `rsa-2` is another one than `rsa`."""
    curves = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
    name = kind.partition("-")[0]
    if name == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return ed25519.Ed25519PrivateKey.generate() if name == "ed25519" else ec.generate_private_key(curves[name])


def pem(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def jwk(key: Any, kid: str | None = KID, **more: Any) -> Json:
    algorithms = {rsa.RSAPrivateKey: "RS256", ed25519.Ed25519PrivateKey: "EdDSA"}
    name = next((name for kind, name in algorithms.items() if isinstance(key, kind)), "ES256")
    fields: Json = jwt.get_algorithm_by_name(name).to_jwk(key.public_key(), as_dict=True)
    named = {} if kid is None else {"kid": kid}
    return {name: value for name, value in fields.items() if name != "key_ops"} | named | more


def issuers() -> list[Issuer]:
    """One for each kind of key that can be configured."""
    common = (("jwt_audience", AUDIENCE), ("jwt_issuer", ISSUER))
    public = [("RS256", "rsa"), ("PS384", "rsa"), ("ES256", "p256"), ("ES384", "p384"), ("ES512", "p521")]
    return [
        Issuer("own", "HS256", OWN_SECRET, common, kid="hermes.own"),
        Issuer("secret", "HS256", SECRET, (*common, ("jwt_secret", SECRET))),
        *(
            Issuer(f"pem {name}", name, private_key(kind), (*common, ("jwt_public_key", pem(private_key(kind)))))
            for name, kind in [*public, ("EdDSA", "ed25519")]
        ),
        *(
            Issuer(f"jwks {name}", name, private_key(kind), common, kid=KID, by_jwks=True)
            for name, kind in [("RS256", "rsa"), ("ES256", "p256"), ("EdDSA", "ed25519")]
        ),
    ]


class Case(NamedTuple):
    """A change: `make` gives the token, or None where the change makes no sense for that issuer."""

    name: str
    make: Callable[[Issuer, float], str | None]
    reason: str


def cases() -> Iterator[Case]:
    """Every change, and what the reason of its refusal is about."""
    yield from _algorithms()
    yield from _signatures()
    yield from _key_names()
    yield from _headers()
    yield from _times()
    yield from _subjects()
    yield from _issuers_and_audiences()
    yield from _hermes()
    yield from _payloads()
    yield from _forms()


def headed(**more: Any) -> Callable[[Issuer, float], str]:
    """Signed well, with something else in the header."""
    return lambda issuer, now: issuer.token(issuer.header(**more), issuer.claims(now))


def claiming(**more: Any) -> Callable[[Issuer, float], str]:
    """Signed well, with something else in the claims."""
    return lambda issuer, now: issuer.token(issuer.header(), issuer.claims(now, **more))


def foreign(make: Callable[[Issuer, float], str]) -> Callable[[Issuer, float], str | None]:
    """Only for issuers other than Hermes."""
    return lambda issuer, now: None if issuer.own else make(issuer, now)


def without(name: str) -> Callable[[Issuer, float], str]:
    def make(issuer: Issuer, now: float) -> str:
        claims = issuer.claims(now)
        claims.pop(name, None)
        return issuer.token(issuer.header(), claims)

    return make


# What is signed by whom


def _algorithms() -> Iterator[Case]:
    for alg in ("none", "None", "nOnE", "NONE", ""):
        yield Case(f"alg {alg!r}, an empty signature", _unsigned(alg, b""), "three parts")
        yield Case(f"alg {alg!r}, some signature", _unsigned(alg, b"x"), "alg|signature")
    for alg in (None, 0, True, ["HS256"], {"HS256": 1}):
        yield Case(f"alg {alg!r}", headed(alg=alg), "alg")
    yield Case("no alg", _without_alg, "alg")
    every = [*jwt.algorithms.get_default_algorithms(), "Ed25519", "hs256", "rs256", "RSA-OAEP", "dir"]
    for alg in every:
        yield Case(f"alg {alg} in name", _renamed(alg), "alg|signature")
    for alg in ("HS384", "HS512"):
        yield Case(f"alg {alg} with the right secret", _with_secret(alg), "alg|signature")
    for form in ("pem", "pem without its last line end", "der", "jwk", "pem without its frame"):
        for alg in ("HS256", "HS512"):
            yield Case(f"alg {alg}, the public key ({form}) as its secret", _confused(alg, form), "alg|signature")


def _unsigned(alg: str, sig: bytes) -> Callable[[Issuer, float], str]:
    def make(issuer: Issuer, now: float) -> str:
        return b".".join(map(part, (issuer.header(alg=alg), issuer.claims(now), sig))).decode()

    return make


def _without_alg(issuer: Issuer, now: float) -> str:
    header = issuer.header()
    del header["alg"]
    return issuer.token(header, issuer.claims(now))


def _renamed(alg: str) -> Callable[[Issuer, float], str | None]:
    """Signed by the right key, but not as the header says."""

    def make(issuer: Issuer, now: float) -> str | None:
        return None if alg == issuer.algorithm else issuer.token(issuer.header(alg=alg), issuer.claims(now))

    return make


def _with_secret(alg: str) -> Callable[[Issuer, float], str | None]:
    def make(issuer: Issuer, now: float) -> str | None:
        return None if issuer.public else _signed_as(issuer, now, alg, issuer.key)

    return make


def _confused(alg: str, form: str) -> Callable[[Issuer, float], str | None]:
    """HMAC with the public key's text as its secret: anybody has that."""

    def make(issuer: Issuer, now: float) -> str | None:
        if not issuer.public:
            return None
        text = pem(issuer.key)
        secrets = {
            "pem": text.encode(),
            "pem without its last line end": text.strip().encode(),
            "der": issuer.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "jwk": json.dumps(jwk(issuer.key, issuer.kid)).encode(),
            "pem without its frame": b"".join(text.encode().split(b"\n")[1:-2]),
        }
        return _signed_as(issuer, now, alg, secrets[form])

    return make


def _signed_as(issuer: Issuer, now: float, alg: str, secret: str | bytes, **more: Any) -> str:
    content = part(issuer.header(alg=alg, **more)) + b"." + part(issuer.claims(now))
    key = secret.encode() if isinstance(secret, str) else secret
    return (content + b"." + part(hmac.digest(key, content, f"sha{alg[2:]}"))).decode()


def _signatures() -> Iterator[Case]:
    yield Case("somebody else's signature", _by_another(), "signature")
    for length in (1, 16, 32, 64, 96, 132, 256, 512):
        yield Case(f"{length} zeros as a signature", _signature_of(bytes(length)), "signature")
    yield Case("r = s = 0, as DER", _signature_of(encode_dss_signature(0, 0)), "signature")
    yield Case("a signature with its last byte changed", _last_byte_changed, "signature")
    yield Case("a signature with a byte more", _changed(lambda sig: sig + b"\0"), "signature")
    yield Case("a signature with a byte less", _changed(lambda sig: sig[:-1]), "signature")
    yield Case("the signature of other claims", _other_claims, "signature")
    yield Case("the signature of another header", _other_header, "signature|kid")
    for secret in ("", "\0", "\n", "secret", "null", "undefined", "none", "hermes", "changeme"):
        yield Case(f"signed with {secret!r}", _with_guess(secret), "alg|signature")


def _by_another(**more: Any) -> Callable[[Issuer, float], str]:
    def make(issuer: Issuer, now: float) -> str:
        names = {"R": "rsa-2", "P": "rsa-2", "ES256": "p256-2", "ES384": "p384-2", "ES512": "p521-2", "Ed": "ed25519-2"}
        kind = next((kind for begin, kind in names.items() if issuer.algorithm.startswith(begin)), None)
        key = private_key(kind) if kind is not None else "another-secret-4f1c8a90d7e2b365"
        content = part(issuer.header(**more)) + b"." + part(issuer.claims(now))
        return (content + b"." + part(signature(content, issuer.algorithm, key))).decode()

    return make


def _signature_of(raw: bytes) -> Callable[[Issuer, float], str]:
    return lambda issuer, now: issuer.valid(now).rpartition(".")[0] + "." + part(raw).decode()


def _changed(change: Callable[[bytes], bytes]) -> Callable[[Issuer, float], str]:
    def make(issuer: Issuer, now: float) -> str:
        content = issuer.valid(now).rpartition(".")[0]
        return content + "." + part(change(issuer.sign(content.encode()))).decode()

    return make


_last_byte_changed = _changed(lambda sig: sig[:-1] + bytes([sig[-1] ^ 1]))


def _other_claims(issuer: Issuer, now: float) -> str:
    header, _, sig = issuer.valid(now).split(".")
    return ".".join((header, part(issuer.claims(now, sub="8")).decode(), sig))


def _other_header(issuer: Issuer, now: float) -> str:
    _, claims, sig = issuer.valid(now).split(".")
    return ".".join((part(issuer.header(typ="at+jwt")).decode(), claims, sig))


def _with_guess(secret: str) -> Callable[[Issuer, float], str]:
    return lambda issuer, now: _signed_as(issuer, now, "HS256", secret)


# Names of keys, and keys that a token brings along


def _key_names() -> Iterator[Case]:
    for kid in (None, 0, 7.5, True, ["a"], {"a": 1}):
        yield Case(f"kid {kid!r}", headed(kid=kid), "kid")
    # Each with what somebody hopes that it leads to as the secret.
    for kid, secret in {
        "../../../../../../dev/null": "",
        "/dev/null": "",
        "/proc/self/environ": "",
        "file:///dev/null": "",
        "x' UNION SELECT 'guess' -- ": "guess",
        "x'; DROP TABLE revoked_tokens; --": "guess",
        "| echo guess": "guess",
        "$(echo guess)": "guess",
        "{{7*7}}": "49",
        "a\0b": "",
        "": "",
        "null": "null",
        "k" * 5000: "guess",
        ELSEWHERE: "guess",
    }.items():
        name = "that is an address" if kid == ELSEWHERE else repr(kid[:30])
        yield Case(f"kid {name}, signed with what it leads to", _named(kid, secret), "alg|signature|minted")
        yield Case(f"kid {name}, somebody else's signature", _by_another(kid=kid), "signature|kid|minted")
    yield Case("Hermes' own kid, signed by another issuer", foreign(headed(kid="hermes.own")), "Hermes minted it")
    yield Case("Hermes' own iss and kid, signed by another issuer", foreign(_as_hermes), "Hermes minted it")
    yield Case(
        "another kid than Hermes' own, signed by Hermes", _hermes_as_another, "signature|alg|not minted here|kid"
    )
    certificate = part(private_key("rsa-2").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    for name, value in {
        "jku": ELSEWHERE,
        "x5u": ELSEWHERE,
        "jwk": "its own",
        "x5c": [certificate.decode()],
        "x5t": "AAAA",
        "x5t#S256": "AAAA",
    }.items():
        yield Case(f"{name}, and the key that it brings along", _bringing(name, value), "signature|kid")
    yield Case("all of them", _bringing_all, "signature|kid")


def _named(kid: str, secret: str) -> Callable[[Issuer, float], str]:
    return lambda issuer, now: _signed_as(issuer, now, "HS256", secret, kid=kid)


def _as_hermes(issuer: Issuer, now: float) -> str:
    claims = issuer.claims(now, iss="hermes", key="installation", jti="x")
    del claims["aud"]
    return issuer.token(issuer.header(kid="hermes.own"), claims)


def _hermes_as_another(issuer: Issuer, now: float) -> str:
    """What Hermes' secret signed is nobody else's token, whatever it says."""
    hermes = Issuer("own", "HS256", OWN_SECRET)
    return hermes.token({"alg": "HS256", "kid": issuer.kid if issuer.by_jwks else "other"}, issuer.claims(now))


def _brought() -> Json:
    return jwk(private_key("rsa-2"), "brought")


def _bringing(name: str, value: Any) -> Callable[[Issuer, float], str]:
    def make(issuer: Issuer, now: float) -> str:
        if name == "jwk":
            return _by_another(jwk=_brought())(issuer, now)
        return _by_another(**{name: value})(issuer, now)

    return make


def _bringing_all(issuer: Issuer, now: float) -> str:
    return _by_another(jku=ELSEWHERE, x5u=ELSEWHERE, jwk=_brought(), x5c=["AAAA"])(issuer, now)


# The rest of the header


def _headers() -> Iterator[Case]:
    for crit in (["exp"], ["b64"], ["http://example.com/UNDEFINED"], [], "exp", None, 1, ["alg"], ["hermes"]):
        yield Case(f"crit {crit!r}", headed(crit=crit, hermes=1), "crit")
    yield Case("b64 false", headed(b64=False, crit=["b64"]), "crit|b64")
    yield Case("b64 true", headed(b64=True), "b64")
    for name, raw in _objects_that_are_none().items():
        yield Case(f"a header that is {name}", _raw_header(raw), "header")
    yield Case("alg twice, the bad one first", _twice("alg", '"none"', first=True), "header")
    yield Case("alg twice, the bad one last", _twice("alg", '"none"', first=False), "header")
    yield Case("a header 1,000 deep", headed(deep=json.loads("[" * 900 + "]" * 900)), "header")
    yield Case("a header of 200 names", headed(**{f"n{number}": 1 for number in range(200)}), "header")


def _objects_that_are_none() -> dict[str, bytes]:
    return {
        "empty": b" ",
        "a list": b"[]",
        "a string": b'"x"',
        "a number": b"1",
        "null": b"null",
        "cut off": b'{"alg":"HS256"',
        "followed by more": b'{"alg":"HS256"} {}',
        "Python": b"{'alg': 'HS256'}",
        "UTF-16": '{"alg":"HS256"}'.encode("utf-16"),
        "no UTF-8": b'{"alg":"\xff"}',
        "marked with a BOM": b'\xef\xbb\xbf{"alg":"HS256"}',
        "zeros": bytes(20),
        "1,000 deep": b"[" * 1000 + b"]" * 1000,
        "never closed": b'{"a":' * 1000,
        "a number of 5,000 digits": b'{"a":' + b"9" * 5000 + b"}",
        "NaN": b'{"a":NaN}',
    }


def _raw_header(raw: bytes) -> Callable[[Issuer, float], str]:
    return lambda issuer, now: issuer.token(raw, issuer.claims(now))


def _twice(name: str, value: str, *, first: bool) -> Callable[[Issuer, float], str]:
    def make(issuer: Issuer, now: float) -> str:
        text = json.dumps(issuer.header())[1:-1]
        more = f'"{name}":{value}'
        both = f"{more},{text}" if first else f"{text},{more}"
        return issuer.token(f"{{{both}}}".encode(), issuer.claims(now))

    return make


# Claims


def _raw_claim(name: str, value: str) -> Callable[[Issuer, float], str]:
    """A claim in a spelling that no encoder makes."""

    def make(issuer: Issuer, now: float) -> str:
        claims = issuer.claims(now)
        claims.pop(name, None)
        return issuer.token(issuer.header(), f'{json.dumps(claims)[:-1]},"{name}":{value}}}'.encode())

    return make


def _times() -> Iterator[Case]:
    yield Case("no exp", without("exp"), "exp")
    for value in (None, "1999999999", "soon", True, [], {}, [1999999999], -1, -1e300, 10**30, 1e300, 253402300800):
        yield Case(f"exp {value!r}", claiming(exp=value), "exp")
    for value in ("NaN", "Infinity", "-Infinity", "9" * 5000, "01999999999", "1e", "0x77359400"):
        yield Case(f"exp {value[:12]} as it is", _raw_claim("exp", value), "exp|payload")
    yield Case("exp 1e999 as it is", _raw_claim("exp", "1e999"), "exp")
    for ago in (0, 1, 4, 600, 1e9, 0.5):
        yield Case(f"exp {ago:g} s ago", _at("exp", -ago), "expired")
    yield Case("exp 0", claiming(exp=0), "expired")
    for name in ("nbf", "iat"):
        for ahead in (10, 60, 1e9):
            yield Case(f"{name} in {ahead:g} s", _at(name, ahead), name)
        for value in (None, "0", True, [], -1, 10**30):
            yield Case(f"{name} {value!r}", claiming(**{name: value}), name)


def _at(name: str, seconds: float) -> Callable[[Issuer, float], str]:
    return lambda issuer, now: issuer.token(issuer.header(), issuer.claims(now, **{name: now + seconds}))


def _subjects() -> Iterator[Case]:
    yield Case("no sub", foreign(without("sub")), "sub")
    texts = ["", "*", "7*", "7,8", ",", " ", "7 8", " 7", "7 ", "7\n", "a\tb", "a\0b", "a\x7fb", "a\x85b", "x" * 251]
    texts += ["a\u00a0b", "a\u2028b", "a\u2029b", "a\u3000b", "a\u1680b", "a\ud800b", "\udfff"]
    for value in (None, 7, 7.5, True, ["7"], {"id": "7"}, *texts):
        yield Case(f"sub {str(value)[:8]!r} ({type(value).__name__})", claiming(sub=value), "sub")
    yield Case("sub twice", _raw_claim("sub", '"7","sub":"8"'), "payload")


def _issuers_and_audiences() -> Iterator[Case]:
    wrong = {
        "iss": ("https://evil.example/", ISSUER[:-1], ISSUER + "/", ISSUER.upper(), " " + ISSUER, ISSUER + "\0", ""),
        "aud": ("evil.example", AUDIENCE[:-1], AUDIENCE + "s", AUDIENCE.upper(), AUDIENCE + " ", "*", ""),
    }
    for name in ("iss", "aud"):
        yield Case(f"no {name}", foreign(without(name)), name)
        for text in wrong[name]:
            yield Case(f"{name} {text!r}", foreign(claiming(**{name: text})), name)
        for value in (None, 1, True, {"a": 1}, {}, [1], [None], [["x"]], [{}]):
            yield Case(f"{name} {value!r}", claiming(**{name: value}), name)
    for value in ([], ["evil.example"], ["evil.example", AUDIENCE + "s"]):
        yield Case(f"aud {value!r}", foreign(claiming(aud=value)), "aud")
    yield Case("aud with a number beside ours", claiming(aud=[AUDIENCE, 1]), "aud")
    yield Case("iss in a list", claiming(iss=[ISSUER]), "iss")
    for value in (1, None, [], {}):
        yield Case(f"jti {value!r}", claiming(jti=value), "jti")


def _hermes() -> Iterator[Case]:
    for value in (None, [], "admin", 1, True):
        yield Case(f"hermes {value!r}", claiming(hermes=value), "hermes")
    for name in ("subscribe", "publish"):
        for value in (None, "news", 1, True, {"news": 1}):
            yield Case(f"hermes.{name} {value!r}", claiming(hermes={name: value}), f"hermes.{name}")
        for item in (None, 1, True, [], {}, "", "a b", "a,b", "a\nb", "a\ud800", "x" * 256):
            yield Case(
                f"hermes.{name} with {str(item)[:8]!r} ({type(item).__name__})",
                claiming(hermes={name: ["news", item]}),
                rf"hermes\.{name}\[1\]",
            )
        yield Case(
            f"101 patterns in hermes.{name}", claiming(hermes={name: [f"a{n}" for n in range(101)]}), "at most 100"
        )
    for value in (None, 1, 0, "true", "false", [], {}, [True]):
        yield Case(f"hermes.admin {value!r}", claiming(hermes={"admin": value}), "hermes.admin")
    for name in ("tokens", "Admin", "subcribe", "", "a\nb"):
        yield Case(f"hermes.{name!r}", claiming(hermes={name: True}), "unknown field")
    yield Case("hermes.admin twice", _raw_claim("hermes", '{"admin":false,"admin":true}'), "payload")
    yield Case("hermes twice", _raw_claim("hermes", '{},"hermes":{"admin":true}'), "payload")


# What is said at all, and how


def _payloads() -> Iterator[Case]:
    for name, raw in _objects_that_are_none().items():
        yield Case(f"a payload that is {name}", lambda i, _, raw=raw: i.token(i.header(), raw), "payload")
    yield Case("30,000 claims", claiming(**{f"c{number}": number for number in range(30_000)}), "characters")
    yield Case("101 claims more", claiming(**{f"c{number}": 1 for number in range(101)}), "payload")
    yield Case("101 names further down", claiming(more={"a": [{f"c{n}": 1 for n in range(101)}]}), "payload")
    yield Case("900 deep", claiming(deep=json.loads("[" * 900 + "]" * 900)), "payload")
    yield Case("11 deep", claiming(deep=json.loads('{"a":' * 11 + "1" + "}" * 11)), "payload")
    yield Case("a name twice further down", _raw_claim("more", '{"a":[{"b":1,"b":1}]}'), "payload")


def _forms() -> Iterator[Case]:
    for name, change in {
        "two parts": lambda t: t.rpartition(".")[0],
        "one part": lambda t: t.partition(".")[0],
        "four parts": lambda t: t + ".AAAA",
        "five parts": lambda t: t + ".AAAA.AAAA",
        "no header": lambda t: "." + t.partition(".")[2],
        "no payload": lambda t: t.split(".")[0] + ".." + t.split(".")[2],
        "an empty signature": lambda t: t.rpartition(".")[0] + ".",
        "a dot before": lambda t: "." + t,
        "a dot behind": lambda t: t + ".",
        "nothing but dots": lambda _: "..",
        "nothing": lambda _: "",
        "padding": lambda t: t + "=",
        "padding of each part": lambda t: ".".join(one + "=" * (-len(one) % 4 or 4) for one in t.split(".")),
        "a space before": lambda t: " " + t,
        "a space within": lambda t: t[:5] + " " + t[5:],
        "a line end behind": lambda t: t + "\n",
        "a line end within": lambda t: t[:5] + "\r\n" + t[5:],
        "a zero behind": lambda t: t + "\0",
        "Bearer twice": lambda t: "Bearer " + t,
        "quotes": lambda t: f'"{t}"',
        "the alphabet of base64": lambda t: t[:5] + "+/" + t[5:],
        "percent-encoding": lambda t: t.replace(".", "%2E"),
        "letters that look alike": lambda t: t.replace("e", "\u0435", 1),
        "wide letters": lambda t: t.replace("e", "\uff45", 1),
        "half a pair": lambda t: t[:9] + "\ud800" + t[9:],
        "JSON": lambda t: json.dumps(dict(zip(("protected", "payload", "signature"), t.split("."), strict=True))),
        "100,000 dots": lambda _: "." * 100_000,
        "1 MB": lambda t: t + "A" * 1_000_000,
        "1 MB in the header": lambda t: "A" * 1_000_000 + t,
        "8,001 characters": lambda t: t + "A" * (8001 - len(t)),
    }.items():
        wanted = "characters" if name.startswith(("1 MB", "100,000", "8,001")) else "three parts"
        yield Case(f"written with {name}", lambda i, now, change=change: change(i.valid(now)), wanted)
    yield Case("the last letter spelled otherwise", _other_spelling, "signature")
    for which, what in enumerate(("header", "payload", "signature")):
        yield Case(f"a {what} without its last letter", _cut(which), "base64|header|signature|payload")
        yield Case(f"a {what} without its first letter", _cut(which, first=True), "base64|header|signature|payload")
    yield Case("a header of one letter", lambda i, now: "A." + i.valid(now).partition(".")[2], "base64")


def _other_spelling(issuer: Issuer, now: float) -> str | None:
    """Base64 whose last letter has bits to spare: another letter means the same bytes (RFC 4648, section 3.5)."""
    text = issuer.valid(now)
    spare = {2: 4, 3: 2}.get(len(text.rpartition(".")[2]) % 4)
    if spare is None:
        return None
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]


def _cut(which: int, *, first: bool = False) -> Callable[[Issuer, float], str]:
    def make(issuer: Issuer, now: float) -> str:
        parts = issuer.valid(now).split(".")
        parts[which] = parts[which][1:] if first else parts[which][:-1]
        return ".".join(parts)

    return make


# What is no reason to refuse a token


def accepted() -> dict[str, Callable[[Issuer, float], str | None]]:
    """Unusual, and right."""
    return {
        "as it is": lambda issuer, now: issuer.valid(now),
        "exp with a fraction": _at("exp", 10.25),
        "exp in the year 2286": claiming(exp=9_999_999_999),
        "nbf and iat a moment ahead": _at("nbf", 3),
        "iat a moment ahead": _at("iat", 3),
        "no iat": without("iat"),
        "aud among others": foreign(claiming(aud=["evil.example", AUDIENCE])),
        "claims of other programs": claiming(scope="a b", realm_access={"roles": ["a", "b"]}, amr=["pwd"]),
        "another typ": headed(typ="at+jwt"),
        "a jku that nobody looks at": headed(jku=ELSEWHERE, x5u=ELSEWHERE, x5t="AAAA"),
        "a key that nobody looks at": headed(jwk=_brought(), x5c=["AAAA"]),
        "a subject in another script": claiming(sub="Jos\u00e9\u6f22\U0001f600"),
        "a subject like a path": claiming(sub="../../etc/passwd"),
        "no claim hermes": without("hermes"),
        "an empty claim hermes": claiming(hermes={}),
        "a kid that keys without one do not mind": lambda i, now: (
            None if i.kid is not None else headed(kid="../../etc/passwd")(i, now)
        ),
        "no jti": without("jti"),
    }
