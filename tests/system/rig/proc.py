"""Child processes that never outlive the test run, free ports, and waiting for events.

Every process is the leader of its own group and is killed by the kernel when the
runner's main thread dies. So start processes from the main thread only.
"""

import atexit
import ctypes
import os
import signal
import socket
import subprocess
import threading
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_running = []


class Timeout(Exception):
    """Something that had to happen did not, in its time."""


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_until(what, check, seconds=30.0, pause=0.05):
    """Calls check() until it gives something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise Timeout(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


_given = set()
_giving = threading.Lock()


def free_port(host="127.0.0.1"):
    """A port below the ephemeral range, so that no outgoing connection takes it."""
    with _giving:
        return _free_port(host)


def _free_port(host):
    for port in range(20000 + os.getpid() % 8000, 32000):
        if port in _given:
            continue
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((host, port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("no free port")


def can_connect(host, port):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


class Process:
    """One child process; its output goes to a log file."""

    def __init__(self, name, argv, log, env=None, stdin=None, stdout=None, cwd=None):
        self.name = name
        self.argv = [str(a) for a in argv]
        self.log = log
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                self.argv,
                stdin=stdin or subprocess.DEVNULL,
                stdout=stdout or out,
                stderr=out,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        _running.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def kill(self):
        """kill -9, and wait until it is gone."""
        self._signal_group(signal.SIGKILL)
        self.popen.wait()
        self._forget()

    def stop(self, seconds=10.0):
        """SIGTERM, then kill -9; returns the exit status."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        self._signal_group(signal.SIGKILL)
        self.popen.wait()
        self._forget()
        return self.popen.returncode

    def wait(self, seconds):
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Timeout(f"{self.name}: still running after {seconds:g} s") from None

    def tail(self, lines=30):
        with open(self.log, "rb") as f:
            text = f.read().decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])

    def _signal_group(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def _forget(self):
        if self in _running:
            _running.remove(self)


def run(name, argv, log, seconds=60.0, env=None, stdin_text=None):
    """Runs a command to its end: (exit status, stdout, stderr). It too dies with us."""
    with open(log, "ab") as out:
        out.write(("$ " + " ".join(str(a) for a in argv) + "\n").encode())
    popen = subprocess.Popen(
        [str(a) for a in argv],
        stdin=subprocess.PIPE if stdin_text is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )
    try:
        out, err = popen.communicate(
            None if stdin_text is None else stdin_text.encode(), timeout=seconds
        )
    except subprocess.TimeoutExpired:
        os.killpg(popen.pid, signal.SIGKILL)
        out, err = popen.communicate()
        raise Timeout(
            f"{name}: still running after {seconds:g} s\n{_end(out)}{_end(err)}"
        ) from None
    finally:
        try:
            os.killpg(popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    with open(log, "ab") as f:
        f.write(out[-20000:] + err[-20000:])
    return popen.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def _end(data):
    return data[-2000:].decode("utf-8", "replace")


def kill_all():
    """Ends whatever is still there, the youngest first."""
    for process in reversed(list(_running)):
        process.signal(signal.SIGCONT)
        process.kill()


atexit.register(kill_all)
