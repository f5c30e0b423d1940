"""An identity provider for tests: keys, JWTs, a JWKS and a token endpoint over HTTPS."""

import base64
import hashlib
import http.server
import json
import os
import ssl
import subprocess
import threading
import time
import urllib.parse


def _openssl(*args, data=None):
    done = subprocess.run(["openssl", *args], input=data, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(args)}: {done.stderr.decode()}")
    return done.stdout


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def thumbprint(certificate):
    """cnf's x5t#S256 (RFC 8705) of a certificate's file."""
    der = _openssl("x509", "-in", certificate, "-outform", "DER")
    return b64(hashlib.sha256(der).digest())


class Key:
    """One that signs, RS256 or ES256."""

    def __init__(self, folder, kid, alg):
        self.kid, self.alg = kid, alg
        self.file = os.path.join(folder, kid + ".pem")
        kind = ("RSA", "rsa_keygen_bits:2048") if alg == "RS256" else ("EC", "ec_paramgen_curve:P-256")
        _openssl("genpkey", "-algorithm", kind[0], "-pkeyopt", kind[1], "-out", self.file)

    def jwk(self):
        who = {"kid": self.kid, "use": "sig", "alg": self.alg}
        if self.alg == "RS256":
            modulus = _openssl("rsa", "-in", self.file, "-noout", "-modulus").split(b"=")[1]
            return {**who, "kty": "RSA", "e": "AQAB", "n": b64(bytes.fromhex(modulus.decode()))}
        point = _openssl("ec", "-in", self.file, "-pubout", "-outform", "DER")[-64:]
        return {**who, "kty": "EC", "crv": "P-256", "x": b64(point[:32]), "y": b64(point[32:])}

    def sign(self, data):
        signature = _openssl("dgst", "-sha256", "-sign", self.file, data=data)
        return signature if self.alg == "RS256" else self._raw(signature)

    @staticmethod
    def _raw(der):
        """SEQUENCE { r, s } as JWS has it: both in 32 bytes."""
        r = der[4 : 4 + der[3]]
        s = der[6 + der[3] :]
        return b"".join(n[-32:].rjust(32, b"\0") for n in (r, s))


class Issuer:
    """Says who somebody is; `keys` are those that it shows."""

    name = "https://issuer.example.com"
    audience = "kafka"

    def __init__(self, env, name="issuer"):
        self.env = env
        self.folder = env.path(name)
        os.makedirs(self.folder)
        self.keys = []
        self.clients = {}  # of the token endpoint: {id: (secret, subject)}
        self.life_s = 300  # of its tokens
        self.asked = []  # the paths, in order
        self.server = None

    def key(self, kid, alg="RS256"):
        self.keys.append(Key(self.folder, kid, alg))
        return self.keys[-1]

    def jwks(self):
        return json.dumps({"keys": [k.jwk() for k in self.keys]})

    def write_jwks(self):
        path = os.path.join(self.folder, "jwks.json")
        with open(path, "w", encoding="ascii") as f:
            f.write(self.jwks())
        return path

    def token(self, subject, key=None, header=None, life_s=300, **claims):
        """A JWT; a claim that is None is left out."""
        key = key or self.keys[0]
        now = int(time.time())
        says = {
            "iss": self.name, "aud": self.audience, "sub": subject, "iat": now,
            "exp": now + life_s, **claims,
        }  # fmt: skip
        head = {"alg": key.alg, "typ": "JWT", "kid": key.kid, **(header or {})}
        parts = [
            b64(json.dumps({k: v for k, v in part.items() if v is not None}).encode())
            for part in (head, says)
        ]
        text = ".".join(parts)
        return text + "." + b64(key.sign(text.encode()))

    def config(self, **more):
        """The group auth.jwt."""
        return {
            "issuer": self.name, "audiences": [self.audience], "algorithms": ["RS256", "ES256"],
            **more,
        }  # fmt: skip

    # ---- over HTTP ----

    def _grant(self, handler):
        """The client credentials grant (RFC 6749 section 4.4): (status, what it says)."""
        length = int(handler.headers.get("Content-Length", "0"))
        form = urllib.parse.parse_qs(handler.rfile.read(length).decode())
        kind, _, basic = handler.headers.get("Authorization", "").partition(" ")
        who, _, secret = base64.b64decode(basic).decode().partition(":")
        known = self.clients.get(urllib.parse.unquote(who))
        if kind != "Basic" or not known or known[0] != urllib.parse.unquote(secret):
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") != ["client_credentials"]:
            return 400, {"error": "unsupported_grant_type"}
        token = self.token(known[1], life_s=self.life_s + 1)  # its times are whole seconds
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.life_s}

    def serve(self):
        """Begins to serve /jwks and /token; gives the URL in front of them."""
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def say(self, status, text):
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):  # pylint: disable=invalid-name
                issuer.asked.append(self.path)
                self.say(200, issuer.jwks())

            def do_POST(self):  # pylint: disable=invalid-name
                status, said = issuer._grant(self)
                issuer.asked.append(f"{self.path} {status}")
                self.say(status, json.dumps(said))

            def log_message(self, *args):
                pass

        crt, key = self.env.ca.issue("issuer", ("127.0.0.1",))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(crt, key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"https://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
