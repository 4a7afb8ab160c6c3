"""Files of data sets, packed or not, and what is wrong with them."""

import gzip
import zipfile
import zlib

from .dataset import DataError

_DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile)


def open_zip(path):
    """A .zip file as a folder.

    Args:
        path: pathlib.Path.

    Returns:
        zipfile.Path.

    Raises:
        DataError: if it is missing or no whole .zip file.

    Example:
        >>> open_zip("missing.zip")
        Traceback (most recent call last):
        keras_segattn.zoo.data.dataset.DataError: missing.zip: expected a whole .zip file. \
[Errno 2] No such file or directory: 'missing.zip'
    """
    try:
        return zipfile.Path(path)
    except _DAMAGE as error:
        raise DataError(f"{path}: expected a whole .zip file. {error}") from error


def read_packed(path):
    """The bytes of a file, unpacked if its name ends in .gz.

    Args:
        path: pathlib.Path, or zipfile.Path of a file in ``open_zip``.

    Returns:
        bytes.

    Raises:
        DataError: if it is missing or damaged.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("hello.gz").write_bytes(gzip.compress(b"hello"))
        >>> read_packed(Path("hello.gz"))
        b'hello'
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.name.endswith(".gz") else data
    except _DAMAGE as error:
        raise DataError(f"{path}: expected a whole file. {error}") from error


def read_lines(path):
    """The lines of a file of text, which end at a line feed and at no other sign.

    Args:
        path: see ``read_packed``.

    Returns:
        list of str.

    Raises:
        DataError: if it is missing or damaged, or no UTF-8.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("two.txt").write_text("one line\\u2028and its rest\\nanother\\n")
        >>> len(read_lines(Path("two.txt")))
        2
    """
    try:
        text = read_packed(path).decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8 text. {error}") from error
    return text.removesuffix("\n").split("\n")
