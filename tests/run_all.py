#!/usr/bin/env python3
"""Runs several test commands and sums what they counted.

    run_all.py COMMAND...        each COMMAND one argument, such as 'make unit'

Every command must close with a line "N passed, N failed" (", N skipped" may follow). One
that does not counts as a failure, and so does one that ends otherwise than its count says.
The very last line is the sum; the status is 1 if anything failed.
"""

import re
import shlex
import subprocess
import sys
import time

COUNT = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed(?:, \d+ skipped)?$")


def run(command):
    """Returns (passed, failed, what is odd about it)."""
    count = None
    print(f"==> {command}", flush=True)
    with subprocess.Popen(
        shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as child:  # fmt: skip
        for line in child.stdout:
            match = COUNT.match(line.strip())
            if match:
                count = int(match.group(1)), int(match.group(2))
                continue  # only the sum stands alone on a line
            print(line, end="", flush=True)
    if count is None:
        return 0, 1, f"no count (status {child.returncode})"
    passed, failed = count
    if child.returncode != 0 and failed == 0:
        return passed, 1, f"status {child.returncode} although nothing failed"
    if child.returncode == 0 and failed > 0:
        return passed, failed, "status 0 although something failed"
    return passed, failed, ""


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    rows = []
    for command in sys.argv[1:]:
        began = time.monotonic()
        try:
            result = run(command)
        except OSError as e:
            result = 0, 1, str(e)
        rows.append((command, *result, time.monotonic() - began))
    print("==> summary")
    for command, passed, failed, odd, seconds in rows:
        said = f"{passed} passed, {failed} failed" + (f": {odd}" if odd else "")
        print(f"    {command}: {said} ({seconds:.0f} s)")
    passed, failed = sum(r[1] for r in rows), sum(r[2] for r in rows)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
