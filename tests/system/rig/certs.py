"""A test CA and certificates, made with openssl."""

import os
import subprocess

def _openssl(*args, text=None):
    done = subprocess.run(
        ["openssl", *args], input=text, text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(args)}: {done.stderr}")


def _kind(host):
    if "://" in host:
        return "URI:"
    return "IP:" if host.replace(".", "").isdigit() or ":" in host else "DNS:"


class CA:
    """Certificates are EC (quick to make) and good for two days."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.cert = os.path.join(folder, "ca.crt")
        self.key = os.path.join(folder, "ca.key")
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", self.key, "-out", self.cert, "-days", "2", "-subj", "/CN=weir test CA",
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip

    def issue(self, name, hosts=("127.0.0.1",)):
        """Returns (certificate file, key file); NAME.pem holds key and chain for Java. A host
        may be a URI."""
        base = os.path.join(self.folder, name)
        names = ",".join(_kind(h) + h for h in hosts)
        extensions = base + ".ext"
        with open(extensions, "w", encoding="ascii") as f:
            f.write(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
        _openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", base + ".key", "-out", base + ".csr", "-subj", f"/CN={name}",
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", base + ".csr", "-CA", self.cert, "-CAkey", self.key,
            "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", base + ".crt",
        )  # fmt: skip
        with open(base + ".pem", "w", encoding="ascii") as out:
            for part in (base + ".key", base + ".crt", self.cert):
                with open(part, encoding="ascii") as f:
                    out.write(f.read())
        return base + ".crt", base + ".key"

    def revoke(self, *names):
        """A list of these as revoked, as a file; each call makes a new one."""
        config = os.path.join(self.folder, "crl.cnf")
        with open(config, "w", encoding="ascii") as f:
            f.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={config}.db\ndefault_md=sha256\n")
        with open(config + ".db", "w", encoding="ascii"):
            pass
        whose = ["-keyfile", self.key, "-cert", self.cert, "-config", config]
        for name in names:
            _openssl("ca", *whose, "-revoke", os.path.join(self.folder, name + ".crt"))
        out = os.path.join(self.folder, "crl.pem")
        _openssl("ca", *whose, "-gencrl", "-crldays", "2", "-out", out)
        return out

    def keystore(self, name):
        """The file for ssl.keystore.location with ssl.keystore.type=PEM."""
        return os.path.join(self.folder, name + ".pem")
