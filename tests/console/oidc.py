"""An OpenID Connect issuer as a real HTTP server: it signs what a test wants, also what no honest one would."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

CLIENT: Final = "spillway"
SECRET: Final = "client secret of the test"


@dataclass
class FakeIssuer:
    """What the server is and does.

    Attributes:
        url: its name.
        keys: by name: the private ones.
        asked: how often each path was asked for.
        document: what is put over its description.
        answers: what a code is turned into; made by `sign_in`.
        status: of its answers where it is not 200.
        pad: bytes that are added to each answer.
    """

    url: str = ""
    keys: dict[str, Any] = field(default_factory=dict)
    extra_keys: list[dict[str, Any]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    document: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    redirect: str | None = None
    pad: int = 0

    def add_key(self, name: str, kind: str = "RSA") -> None:
        """Have one more key."""
        if kind == "RSA":
            self.keys[name] = rsa.generate_private_key(65_537, 2_048)
        else:
            self.keys[name] = ec.generate_private_key(ec.SECP256R1())

    def sign(self, claims: dict[str, Any], *, key: str = "first", alg: str = "RS256", **header: Any) -> str:
        """A token."""
        return jwt.encode(claims, self.keys[key], algorithm=alg, headers={"kid": key, **header})

    def description(self) -> dict[str, Any]:
        own = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "authorization_response_iss_parameter_supported": True,
        }
        return own | self.document

    def jwks(self) -> dict[str, Any]:
        written = []
        for name, key in self.keys.items():
            algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            public = json.loads(algorithm.to_jwk(key.public_key()))
            written.append({**public, "kid": name, "use": "sig"})
        return {"keys": [*self.extra_keys, *written]}

    def sign_in(self, address: str, claims: dict[str, Any]) -> dict[str, str]:
        """What a person does at the issuer: the parameters that his browser brings back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = token_urlsafe(24)
        self.codes[code] = {"asked": asked, "claims": claims}
        return {"code": code, "state": asked["state"], "iss": self.url}

    def redeem(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Turn a code in, once, for the client and the verifier that it was made for."""
        kept = self.codes.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
        if kept is None or authorization != f"Basic {basic}":
            return None
        asked = kept["asked"]
        digest = sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return None
        return {"id_token": self.sign({"nonce": asked["nonce"], **kept["claims"]}), "token_type": "Bearer"}


@contextmanager
def issuer() -> Iterator[FakeIssuer]:
    """A server on a free port of this machine."""
    fake = FakeIssuer()
    fake.add_key("first")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            fake.asked[path] += 1
            known = {"/.well-known/openid-configuration": fake.description, "/keys": fake.jwks}
            self._answer(known[path]() if path in known else {})

        def do_POST(self) -> None:
            fake.asked[self.path] += 1
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            found = fake.redeem(form, self.headers.get("Authorization", ""))
            self._answer(found or {"error": "invalid_grant"}, 200 if found else 400)

        def _answer(self, document: dict[str, Any], status: int = 200) -> None:
            if fake.redirect:
                self.send_response(302)
                self.send_header("Location", fake.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = json.dumps(document).encode() + b" " * fake.pad
            self.send_response(fake.status if fake.status != 200 else status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
