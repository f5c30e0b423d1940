"""A wall clock that a test moves (clients/moved_clock.c)."""

import os
import struct

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


class Clock:
    """The wall clock of the processes that are started with `environment`. What they measure time
    with (CLOCK_MONOTONIC) goes on as it is."""

    def __init__(self, env, name):
        path = env.path(f"{name}.clock")
        self.file = open(path, "wb", buffering=0)  # pylint: disable=consider-using-with
        self.move(0)
        library = os.path.join(ROOT, "build", "obj", "system", "moved_clock.so")
        if not os.path.exists(library):
            raise RuntimeError(f"no {library}: run make system")
        self.environment = {"LD_PRELOAD": library, "MOVED_CLOCK": path}

    def move(self, seconds):
        """So far off, from now on."""
        self.file.seek(0)
        self.file.write(struct.pack("=q", seconds))
