# SPDX-License-Identifier: Apache-2.0
"""What the checks share: the C files, and how faults are told."""

import pathlib
import sys

FOLDERS = ("gateway", "auth", "quota", "routing", "tests")


def sources(*suffixes):
    """The C files of the project, each as (path, text)."""
    for folder in FOLDERS:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.suffix in (suffixes or (".c", ".h")):
                yield str(path), path.read_text()


def finish(faults, summary=""):
    """Prints the faults and ends the check."""
    if faults:
        print("\n".join(faults))
        sys.exit(1)
    print(summary)


def code_lines(text):
    """(number, line) with comments and the insides of strings blanked."""
    out, state, i = [], "code", 0
    while i < len(text):
        c, two = text[i], text[i : i + 2]
        if state == "code" and two == "/*":
            state = "comment"
        elif state == "comment" and two == "*/":
            state, i = "code", i + 1
        elif state == "code" and c in "\"'":
            state = c
            out.append(c)
        elif state in "\"'" and c == "\\":
            i += 1
        elif state == c:
            state = "code"
            out.append(c)
        elif state == "code" or c == "\n":
            out.append(c)
        i += 1
    return list(enumerate("".join(out).split("\n"), 1))
