"""Pretrained files of the zoo: found, fetched, checked against their SHA-256, and kept.

A file is looked for in four places, the nearest first, and its hash is checked wherever it comes from:

1. the folder that ``KERAS_SEGATTN_ZOO`` names;
2. ``weights/`` beside this module, where a checkout has the trained files;
3. the cache: ``weights/`` in the folder that ``KERAS_SEGATTN_CACHE`` names, or in the user's cache folder;
4. the mirror, where ``KERAS_SEGATTN_ZOO`` is an http(s) address; what it sends is kept in the cache.

The table of hashes is ``weights/SHA256SUMS``, which ``sha256sum --check`` understands too.
"""

import errno
import hashlib
import os
import re
import shutil
from pathlib import Path
from urllib.parse import quote

import requests
from filelock import FileLock
from platformdirs import user_cache_dir
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

CHECKOUT = Path(__file__).with_name("weights")
TABLE = CHECKOUT / "SHA256SUMS"
TIMEOUT = (10, 30)  # seconds: to connect, and between two reads
CHUNK = 1 << 16  # bytes a read; a dropped connection loses less than one


class WeightsError(RuntimeError):
    """A pretrained file is missing, wrong, or could not be fetched; the message says what to do about it."""


def find(filename, *, progress=False):
    """Returns the path of a checked pretrained file, fetched from the mirror where no folder has it.

    Args:
        filename: a name in the table, such as ``"fcn8s_mobilenet_camvid.weights.h5"``.
        progress: whether a download draws a progress bar on stderr.

    Returns:
        The ``pathlib.Path`` of a file whose SHA-256 is the one in the table.

    Raises:
        WeightsError: the table lacks `filename`, a copy that someone put in place is not that file, no place
            has it, or the mirror or the cache fails. A download that stops goes on in the next call.

    Example:
        >>> find("fcn8s_mobilenet_camvid.weights.h5", progress=True)  # doctest: +SKIP
        PosixPath('zoo/weights/fcn8s_mobilenet_camvid.weights.h5')
    """
    expected = checksum(filename)
    zoo = os.path.expanduser(os.environ.get("KERAS_SEGATTN_ZOO", ""))
    mirror = re.match("https?://", zoo, re.IGNORECASE)
    if "://" in zoo and not mirror:
        raise WeightsError(f"KERAS_SEGATTN_ZOO must be a folder or an http(s):// address. Received: {zoo!r}")

    folders = [Path(zoo), CHECKOUT] if zoo and not mirror else [CHECKOUT]
    for path in (folder / filename for folder in folders):
        if os.path.isfile(path):
            if (actual := _sha256(path)) != expected:
                raise WeightsError(
                    f"{path} is not the file of the zoo: replace or delete it. "
                    f"Expected SHA-256 {expected}. Received: {actual}"
                )
            return path

    cached = _cache() / filename
    if os.path.isfile(cached) and _sha256(cached) == expected:
        return cached
    if not mirror:
        raise WeightsError(
            f"no good copy of {filename} in {', '.join(map(str, [*folders, cached.parent]))}: set "
            "KERAS_SEGATTN_ZOO to a folder that has it, or to the http(s):// address of a mirror"
        )
    return _fetch(f"{zoo.rstrip('/')}/{quote(filename)}", cached, expected, progress)


def checksum(filename):
    """Returns the SHA-256 that the table gives for a file, as 64 hexadecimal digits.

    Args:
        filename: a name in the table.

    Raises:
        WeightsError: the table has no such name, or a line that is not ``<SHA-256>  <name>``.

    Example:
        >>> checksum("fcn8s.h5")  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        WeightsError: fcn8s.h5: expected one of the ... files of the zoo
    """
    table = _read_table()
    if filename not in table:
        name = filename.removesuffix(".weights.h5")
        raise WeightsError(
            f"{filename}: expected one of the {len(table)} files of the zoo. A recipe without one is to be trained: "
            f"segattn train {name}"
        )
    return table[filename]


def recorded():
    """The files that the table has.

    Returns:
        set of names.

    Raises:
        WeightsError: if a line of the table is not ``<SHA-256>  <name>``.

    Example:
        >>> "fcn8s_mobilenet_camvid.weights.h5" in recorded()
        True
    """
    return set(_read_table())


def record(path):
    """Writes the line of one file into the table, new or anew, and returns its SHA-256.

    The table stays sorted by name and is replaced in one step; two processes may record at once.

    Args:
        path: the trained file; its name, without the folder, goes into the table.

    Raises:
        WeightsError: the file cannot be read, or the table cannot be read or written.

    Example:
        >>> record("zoo/weights/fcn8s_mobilenet_camvid.weights.h5")  # doctest: +SKIP
    """
    path, draft = Path(path), TABLE.with_name("SHA256SUMS.part")
    digest = _sha256(path)
    try:
        with FileLock(f"{TABLE}.lock"):
            table = _read_table() | {path.name: digest}
            draft.write_text("".join(f"{table[name]}  {name}\n" for name in sorted(table)), "utf-8")
            os.replace(draft, TABLE)
    except OSError as error:
        raise WeightsError(f"cannot write {TABLE}: {error}") from error
    return digest


def _read_table():
    """Returns {file name: SHA-256}; empty as long as nothing is recorded."""
    if not TABLE.is_file():
        return {}
    table = {}
    for number, line in enumerate(TABLE.read_text("utf-8").splitlines(), start=1):
        fields = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if not fields:
            raise WeightsError(f"{TABLE}:{number} must be '<SHA-256>  <file name>'. Received: {line!r}")
        table[fields[2]] = fields[1]
    return table


def _sha256(path):
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error}") from error


def _cache():
    root = os.environ.get("KERAS_SEGATTN_CACHE") or user_cache_dir("keras_segattn")
    return Path(os.path.expanduser(root)) / "weights"


def _fetch(url, cached, expected, progress):
    """Puts a checked copy into the cache; of several processes one fetches, the others wait for it."""
    part = cached.with_name(f"{cached.name}.part")
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{cached}.lock"):
            if cached.is_file() and _sha256(cached) == expected:  # fetched while this process waited
                return cached
            cached.unlink(missing_ok=True)
            _download(url, part, progress)
            if (actual := _sha256(part)) != expected:
                part.unlink()
                raise WeightsError(
                    f"{_shown(url)} is not the file of the zoo: try again, or take a mirror of this version. "
                    f"Expected SHA-256 {expected}. Received: {actual}"
                )
            os.replace(part, cached)
    except OSError as error:
        raise WeightsError(
            f"cannot write in the cache {cached.parent}: set KERAS_SEGATTN_CACHE to a folder that can be "
            f"written ({error})"
        ) from error
    return cached


def _download(url, part, progress):
    """Appends to `part` what it lacks of `url`, or writes it from the start where the server sends all."""
    response = _ask(url, offset=part.stat().st_size if part.exists() else 0)
    resumed = response.status_code == requests.codes.partial_content
    done = part.stat().st_size if resumed else 0
    length = response.headers.get("Content-Length")
    total = done + int(length) if length else None
    size = decimal(total) if total else "unknown size"
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    bar = Progress(*columns, console=Console(stderr=True), disable=not progress)
    try:
        with response, open(part, "ab" if resumed else "wb") as file, bar:
            task = bar.add_task(part.stem, total=total, completed=done)
            for chunk in response.iter_content(CHUNK):
                done += file.write(chunk)
                bar.advance(task, len(chunk))
        if total and done < total:  # urllib3 1 takes a short answer for a whole one
            raise requests.ConnectionError("the connection was closed early")
    except requests.RequestException as error:
        raise WeightsError(
            f"{_shown(url)} broke off after {decimal(done)} of {size}: try again, it goes on from there"
        ) from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise WeightsError(
            f"the disk is full: {part.stem} needs {size} in {part.parent}, where "
            f"{decimal(shutil.disk_usage(part.parent).free)} are free: make room, or set KERAS_SEGATTN_CACHE "
            "to a folder on another disk"
        ) from error


def _ask(url, offset):
    """Returns the open response to a request for `url` from byte `offset` on; its status is 200 or 206."""
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    try:
        response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise WeightsError(
            f"cannot reach {_shown(url)} ({type(error).__name__}): check the network, or set "
            "KERAS_SEGATTN_ZOO to another mirror or to a folder that has the file"
        ) from error
    if response.status_code == requests.codes.range_not_satisfiable and offset:
        return _ask(url, offset=0)  # the part is longer than the file, so it is no part of it
    if response.status_code not in (requests.codes.ok, requests.codes.partial_content):
        raise WeightsError(
            f"{_shown(url)} answered {response.status_code} {response.reason}: set KERAS_SEGATTN_ZOO to a "
            "mirror or a folder that has the file"
        )
    return response


def _shown(url):
    """Returns `url` without a user name and password."""
    return re.sub(r"//[^/]*@", "//", url)
