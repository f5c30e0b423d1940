#!/usr/bin/env python3
"""Runs the system tests: real Kafka, real clients, weir between them.

    run.py [--only PATTERN] [--direct] [--weir PATH] [--kafka 4.3.1|3.9.1]

--direct runs the clients straight at the cluster: what fails there too is not weir's.
Prints a line for each test and ends with "N passed, N failed".
"""

import argparse
import glob
import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from rig import env as rig_env, proc  # noqa: E402


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--only", metavar="PATTERN", help="regular expression over module.test")
    p.add_argument("--direct", action="store_true", help="leave weir out: the baseline")
    p.add_argument("--weir", default=os.path.join(ROOT, "build", "weir"), metavar="PATH")
    p.add_argument("--kafka", default="4.3.1", choices=["4.3.1", "3.9.1"])
    p.add_argument("--list", action="store_true", help="name the tests and end")
    p.add_argument("--keep", action="store_true", help="keep the folder of this run")
    return p.parse_args()


def version(text):
    return tuple(int(n) for n in text.split("."))


def discover(options):
    """[(name, function)] in the order of files and of the tests in them."""
    found = []
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        for attribute, test in vars(module).items():
            if not attribute.startswith("test_") or not callable(test):
                continue
            name = f"{module.__name__[5:]}.{attribute[5:]}"
            if options.only and not re.search(options.only, name):
                continue
            if getattr(test, "through_weir", None) and options.direct:
                continue
            first = getattr(test, "kafka_from", None)
            if first and version(options.kafka) < version(first):
                continue
            found.append((name, test))
    return found


def run_one(env, name, test):
    """Runs a test; returns what was wrong, or None."""
    began = time.monotonic()
    fault = None
    try:
        note = test(env)
    except Exception as e:  # pylint: disable=broad-except
        with open(env.path("failures.log"), "a", encoding="utf-8") as f:
            f.write(f"== {name}\n{traceback.format_exc()}\n")
        where = traceback.extract_tb(e.__traceback__)[-1]
        place = f"{os.path.basename(where.filename)}:{where.lineno}: {where.line}"
        fault = f"{type(e).__name__}: {e}\n{place}"
        note = None
    if fault and not env.driver.stop_all():
        env.start_driver()
    if env.weir and not env.weir.alive():
        status = env.weir.process.popen.returncode
        fault = (fault or "") + f" | weir has ended with {status}: " + env.weir.tail(6)
        env.start_weir()
    took = time.monotonic() - began
    print(f"{'FAIL' if fault else 'ok  '} {name} ({took:.1f} s)", flush=True)
    for line in ((fault or note or "")[:3000]).splitlines():
        print(f"     {line}", flush=True)
    return fault


def keep_logs(folder):
    kept = os.path.join(ROOT, "build", "test-logs")
    shutil.rmtree(kept, ignore_errors=True)
    for path in glob.glob(folder + "/**/*", recursive=True):
        if path.endswith((".log", ".json", ".properties", ".cfg", ".ops", ".jsonl")):
            if os.path.getsize(path) < 50_000_000:
                there = os.path.join(kept, os.path.relpath(path, folder))
                os.makedirs(os.path.dirname(there), exist_ok=True)
                shutil.copy(path, there)
    print(f"     logs: {os.path.relpath(kept)}", flush=True)


def main():
    options = arguments()
    tests = discover(options)
    if options.list:
        print("\n".join(name for name, _ in tests))
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, frame: sys.exit(128 + n))
    folder = tempfile.mkdtemp(prefix="weir-system-")
    failed = []
    began = time.monotonic()
    try:
        env = rig_env.Env(options, folder)
        try:
            env.start()
        except Exception as e:  # pylint: disable=broad-except
            print(f"FAIL start: {type(e).__name__}: {e}", flush=True)
            failed = ["start"]
            tests = []
        else:
            print(f"ok   start ({time.monotonic() - began:.1f} s)", flush=True)
        for name, test in tests:
            if run_one(env, name, test):
                failed.append(name)
    finally:
        if failed:
            keep_logs(folder)
        proc.kill_all()
        if options.keep:
            print(f"     kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if failed:
        print("failed: " + " ".join(failed))
    print(f"system tests: {time.monotonic() - began:.0f} s")
    started = 0 if failed == ["start"] else 1
    print(f"{len(tests) + started - len([f for f in failed if f != 'start'])} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
