"""The Java client driver: one JVM, many scenarios (see ../java/Driver.java)."""

import json
import os
import subprocess
import threading

from . import kafka, proc


class ScenarioFailed(Exception):
    """A client scenario ended with an exception."""


class Task:
    """A scenario under way."""

    def __init__(self, driver, number, name):
        self.driver, self.number, self.name = driver, number, name
        self.log = None
        self.events = []
        self.changed = threading.Condition()
        self.outcome = None

    def _told(self, kind, what):
        with self.changed:
            if kind == "event":
                self.events.append(what)
            else:
                self.outcome = (kind, what)
            self.changed.notify_all()

    def stop(self):
        self.driver._write(f"{self.number} stop")
        return self

    def done(self):
        return self.outcome is not None

    def wait_event(self, name, seconds=60, check=lambda event: True):
        def there():
            return self.outcome or any(e["event"] == name and check(e) for e in self.events)

        with self.changed:
            if not self.changed.wait_for(there, seconds):
                raise proc.Timeout(f"{self.name}: no '{name}' within {seconds} s")
        if self.outcome and self.outcome[0] == "fail":
            self.result(0)
        return self

    def result(self, seconds=120):
        with self.changed:
            if not self.changed.wait_for(self.done, seconds):
                raise proc.Timeout(f"{self.name}: still running after {seconds} s")
        kind, what = self.outcome
        if kind == "fail":
            first = [
                line
                for line in what["trace"].splitlines()
                if line.lstrip().startswith("at ") is False
            ]
            raise ScenarioFailed(f"{self.name}: {what['error']} | " + " | ".join(first[1:4]))
        return what


class Driver:
    def __init__(self, folder, options=()):
        classes = os.path.join(kafka.DEPS, "driver")
        if not os.path.isdir(classes):
            raise RuntimeError("the Java driver is missing: run tests/setup/setup.sh test")
        argv = kafka.java("4.3.1", "1g")
        more = [f"{kafka.DEPS}/{name}/*" for name in ("msk-iam", "connect-4.3.1")]
        argv[-1] = ":".join([classes, argv[-1], *more])
        self.folder = folder
        self.token_file = os.path.join(folder, "token.jwt")
        files = "-Dorg.apache.kafka.sasl.oauthbearer.allowed"
        argv[1:1] = [
            *options, f"{files}.files={self.token_file}", f"{files}.urls=file://{self.token_file}"
        ]  # fmt: skip
        self.aws_credentials = os.path.join(folder, "aws-credentials")
        os.makedirs(folder, exist_ok=True)
        aws = {
            "AWS_REGION": "us-east-1",
            "AWS_SHARED_CREDENTIALS_FILE": self.aws_credentials,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.process = proc.Process(
            "java driver", argv + ["Driver"], os.path.join(folder, "driver.log"),
            env=aws, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.tasks = {}
        self.lock = threading.Lock()
        self.count = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _write(self, line):
        with self.lock:
            self.process.popen.stdin.write((line + "\n").encode())
            self.process.popen.stdin.flush()

    def _read(self):
        for line in self.process.popen.stdout:
            number, kind, rest = line.decode("utf-8").split(" ", 2)
            self.tasks[int(number)]._told(kind, json.loads(rest))
        for task in self.tasks.values():
            if not task.done():
                task._told("fail", {"error": "the Java driver has died", "trace": ""})

    def start(self, scenario, logged=False, **args):
        """Begins a scenario; with logged=True its operations go to task.log."""
        with self.lock:
            self.count += 1
            task = Task(self, self.count, scenario)
        if logged:
            task.log = os.path.join(self.folder, f"{self.count}-{scenario}.ops")
            args["log"] = task.log
        self.tasks[task.number] = task
        self._write(f"{task.number} {scenario} {json.dumps(args)}")
        return task

    def call(self, scenario, seconds=120, **args):
        return self.start(scenario, **args).result(seconds)

    def aws_profile(self, name, key_id, secret, token=None):
        """Credentials which AWS's library finds under this name (awsProfileName)."""
        lines = [f"[{name}]", f"aws_access_key_id = {key_id}", f"aws_secret_access_key = {secret}"]
        if token:
            lines.append(f"aws_session_token = {token}")
        with open(self.aws_credentials, "a", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        os.chmod(self.aws_credentials, 0o600)

    def stop_all(self, seconds=10):
        """Asks whatever a failed test has left under way to end; whether all did."""
        left = [t for t in self.tasks.values() if not t.done()]
        for task in left:
            task.stop()
        try:
            proc.wait_until("scenarios end", lambda: all(t.done() for t in left), seconds)
        except proc.Timeout:
            return False
        return True

    def end(self):
        self.process.kill()
