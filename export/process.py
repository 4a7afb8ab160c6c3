"""A Python process of its own: for code that leaks, that needs another backend, or that may end its process."""

import os
import signal
import subprocess
import sys


class ProcessError(RuntimeError):
    """A process that failed; the message is its last line, the rest of what it said is in the notes.

    Example:
        >>> raise ProcessError("killed by SIGSEGV")
        Traceback (most recent call last):
        keras_segattn.export.process.ProcessError: killed by SIGSEGV
    """


def run_python(*arguments, **environment):
    """Run this Python interpreter and wait for its end.

    Args:
        *arguments: of the command line.
        **environment: variables besides those of this process.

    Raises:
        ProcessError: if it fails or is killed.

    Example:
        >>> run_python("-c", "import os; assert os.environ['PLACE'] == 'inn'", PLACE="inn")
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        error = ProcessError(_reason(done))
        error.add_note(done.stderr)
        raise error


def _reason(done):
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return f"killed by {name}{', as Linux does when memory runs out' if name == 'SIGKILL' else ''}"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit status {done.returncode}"


def first_line(error):
    """What an error says in its first line, or its class if it says nothing.

    Example:
        >>> first_line(ValueError("no\\nway")), first_line(KeyError())
        ('no', 'KeyError')
    """
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
