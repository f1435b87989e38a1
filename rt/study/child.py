"""A process that runs tasks one after the other, so that a crash or a hang costs one task.

    python -m kilohertz.rt.study.child READ_FD WRITE_FD

It reads one JSON line per task, {"function": "module:name", "argument": ...}, and answers each with one. When
the other end of the pipe is closed it ends at once, also within a task.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import queue
import signal
import sys
import threading

from kilohertz.rt.host.threads import limit_math_threads


def main(read_fd: int, write_fd: int) -> None:
    """Runs tasks until the pipe is closed.

    Args:
        read_fd: file descriptor from which tasks are read.
        write_fd: file descriptor to which answers are written.
    """
    limit_math_threads()
    faulthandler.enable()
    # Ctrl-C concerns the process that gives the tasks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        with os.fdopen(read_fd) as file:
            for line in file:
                tasks.put(line)
        os._exit(0)

    threading.Thread(target=read, name="tasks", daemon=True).start()
    with os.fdopen(write_fd, "w") as answers:
        while True:
            task = json.loads(tasks.get())
            module, _, name = task["function"].partition(":")
            answer = getattr(importlib.import_module(module), name)(task["argument"])
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
