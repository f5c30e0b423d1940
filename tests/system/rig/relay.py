"""A TCP relay which records what servers send, frame by frame, for leak scans."""

import socket
import struct
import threading

FETCH, SHARE_FETCH = 1, 78


class Relay:
    """Listens on port and passes all to host:port; every reply is kept with its API key."""

    def __init__(self, listen_port, host, port):
        self.target = (host, port)
        self.replies = []  # (api key, version, bytes after the length)
        self.lock = threading.Lock()
        self.server = socket.create_server(("127.0.0.1", listen_port))
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.close()
        for s in self.sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
                upstream = socket.create_connection(self.target, 10)
            except OSError:
                return
            upstream.settimeout(None)
            self.sockets += [client, upstream]
            asked = []
            for source, target, frame in (
                (client, upstream, lambda f, a=asked: self._request(a, f)),
                (upstream, client, lambda f, a=asked: self._reply(a, f)),
            ):
                threading.Thread(
                    target=self._pump, args=(source, target, frame), daemon=True
                ).start()

    def _pump(self, source, target, frame):
        held = b""
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                held += data
                while len(held) >= 4:
                    size = struct.unpack_from(">i", held)[0]
                    if len(held) < 4 + size:
                        break
                    frame(held[4 : 4 + size])
                    held = held[4 + size :]
                target.sendall(data)
        except OSError:
            pass

    def _request(self, asked, frame):
        api, version, correlation = struct.unpack_from(">hhi", frame)
        with self.lock:
            asked.append((api, version, correlation))

    def _reply(self, asked, frame):
        correlation = struct.unpack_from(">i", frame)[0]
        with self.lock:
            for i, (api, version, number) in enumerate(asked):
                if number == correlation:
                    del asked[: i + 1]
                    self.replies.append((api, version, frame))
                    return
            self.replies.append((-1, -1, frame))


def leaks(replies, everywhere, in_metadata):
    """[text] of canaries found. Ports are looked for only where no record bytes travel."""
    found = set()
    for api, version, frame in replies:
        for what, canary in everywhere.items():
            if canary in frame:
                found.add(f"{what} in the reply to API {api} version {version}")
        for what, canary in in_metadata.items():
            if api not in (FETCH, SHARE_FETCH) and stands_as_port(canary, frame):
                found.add(f"{what} in the reply to API {api} version {version}")
    return sorted(found)


def stands_as_port(port, frame):
    """A port always follows its host's last letter; the same four bytes behind a zero are the
    lower half of some size or offset."""
    at = frame.find(port)
    while at >= 0:
        if at > 0 and frame[at - 1] != 0:
            return True
        at = frame.find(port, at + 1)
    return False
