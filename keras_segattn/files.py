"""Files that are there whole or not at all."""

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """A file to write beside another, in whose place it is put when it is whole.

    Readers see the old file or the new one; an error, a full disk or a kill leaves the old one.

    Args:
        path: of the file that shall be there.

    Yields:
        pathlib.Path to write to, with the same ending.

    Raises:
        OSError: if it cannot be put there.

    Example:
        >>> with replacing("score.txt") as partial:
        ...     partial.write_text("88.1")
        4
        >>> Path("score.txt").read_text()
        '88.1'
    """
    path = Path(path)
    partial = path.with_name(f".partial-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
