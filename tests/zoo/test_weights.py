"""Pretrained files are found, fetched, checked and kept; the mirror is a real server on 127.0.0.1."""

import doctest
import gzip
import hashlib
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import platformdirs
import pytest
import requests
from filelock import FileLock

from keras_segattn.zoo import weights
from keras_segattn.zoo.weights import WeightsError, checksum, find, record

NAME = "toy #1.weights.h5"  # a name that a URL must quote
GOOD = random.Random(0).randbytes(300_000)
WRONG = random.Random(1).randbytes(300_000)


class Answer(BaseHTTPRequestHandler):
    """Sends a file, or the rest of it from the byte asked for, with the faults that the mirror has."""

    def do_GET(self):
        mirror = self.server
        mirror.asked.append(self.headers.get("Range"))
        mirror.answers.wait(10)
        body = mirror.files.get(unquote(self.path))
        if mirror.status or body is None:
            return self.send_error(mirror.status or 404)
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1]) if mirror.knows_ranges else 0
        if start and start >= len(body):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        sent = body[start : mirror.drops_at]
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            sent = gzip.compress(sent)
            self.send_header("Content-Encoding", "gzip")
        if mirror.knows_lengths:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        mirror.sent.append(len(sent))
        self.wfile.write(sent)
        return mirror.hangs_up.wait(10)

    def log_message(self, *_):
        pass


class Mirror(ThreadingHTTPServer):
    """A server of `files`, {path: bytes}, that keeps the Range headers it got and the bytes it sent."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files = {f"/{NAME}": GOOD}
        self.asked, self.sent = [], []
        self.status = self.drops_at = None
        self.knows_ranges = self.knows_lengths = True
        self.answers, self.hangs_up = threading.Event(), threading.Event()
        self.answers.set()
        self.hangs_up.set()


@pytest.fixture
def places(tmp_path, monkeypatch):
    """An empty checkout, cache and zoo folder, and a table that knows the hash of GOOD."""
    checkout, cache, zoo = (tmp_path / name for name in ("checkout", "cache", "zoo"))
    checkout.mkdir()
    zoo.mkdir()
    monkeypatch.setattr(weights, "CHECKOUT", checkout)
    monkeypatch.setattr(weights, "TABLE", checkout / "SHA256SUMS")
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", str(cache))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("KERAS_SEGATTN_ZOO", raising=False)
    weights.TABLE.write_text(f"{hashlib.sha256(GOOD).hexdigest()}  {NAME}\n")
    return {"checkout": checkout, "cache": cache / "weights", "zoo": zoo}


@pytest.fixture
def zoo_folder(places, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_ZOO", str(places["zoo"]))
    return places["zoo"]


@pytest.fixture
def mirror(places, monkeypatch):
    server = Mirror()
    monkeypatch.setenv("KERAS_SEGATTN_ZOO", server.url)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.answers.set()
    server.hangs_up.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def cached(places):
    """The path of the file in the cache, whose folder is there and empty."""
    places["cache"].mkdir(parents=True)
    return places["cache"] / NAME


@pytest.fixture
def part(cached):
    return cached.with_name(f"{NAME}.part")


# Folders


def test_the_zoo_folder_comes_before_the_checkout_and_the_checkout_before_the_cache(
    places, zoo_folder, cached
):
    for folder in (zoo_folder, places["checkout"], cached.parent):
        (folder / NAME).write_bytes(GOOD)
    for folder in (zoo_folder, places["checkout"], cached.parent):
        assert find(NAME) == folder / NAME
        (folder / NAME).unlink()


def test_the_home_sign_is_understood_in_both_variables(places, cached, monkeypatch):
    monkeypatch.setenv("HOME", str(places["zoo"].parent))
    monkeypatch.setenv("KERAS_SEGATTN_ZOO", "~/zoo")
    monkeypatch.setenv("KERAS_SEGATTN_CACHE", "~/cache")
    cached.write_bytes(GOOD)
    assert find(NAME) == cached
    (places["zoo"] / NAME).write_bytes(GOOD)
    assert find(NAME) == places["zoo"] / NAME


def test_the_cache_is_in_the_users_cache_folder_unless_told_otherwise(places, monkeypatch):
    monkeypatch.delenv("KERAS_SEGATTN_CACHE")
    for variable in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(places["zoo"]))
    kept = Path(platformdirs.user_cache_dir("keras_segattn"), "weights", NAME)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(GOOD)
    assert kept.is_relative_to(places["zoo"])
    assert find(NAME) == kept


@pytest.mark.parametrize("place", ["zoo", "checkout"])
def test_a_wrong_file_that_someone_put_in_place_is_named_with_both_hashes_and_left_alone(
    places, zoo_folder, place
):
    path = places[place] / NAME
    path.write_bytes(WRONG)
    with pytest.raises(WeightsError) as caught:
        find(NAME)
    for text in (path, hashlib.sha256(GOOD).hexdigest(), hashlib.sha256(WRONG).hexdigest()):
        assert str(text) in str(caught.value)
    assert path.read_bytes() == WRONG


def test_a_file_that_is_nowhere_gives_an_error_that_names_every_place_and_the_remedy(places, zoo_folder):
    with pytest.raises(WeightsError, match="set KERAS_SEGATTN_ZOO to a folder") as caught:
        find(NAME)
    assert all(str(folder) in str(caught.value) for folder in places.values())


def test_a_wrong_cached_file_is_not_used_where_there_is_no_mirror(cached):
    cached.write_bytes(WRONG)
    with pytest.raises(WeightsError, match="no good copy of toy #1.weights.h5"):
        find(NAME)


def test_a_zoo_folder_that_cannot_be_looked_into_is_passed_over(cached, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_ZOO", "x" * 5000)  # longer than any path may be
    cached.write_bytes(GOOD)
    assert find(NAME) == cached


def test_a_file_in_the_working_folder_is_not_taken_for_one_of_the_zoo(cached, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).write_bytes(WRONG)
    cached.write_bytes(GOOD)
    assert find(NAME) == cached


def test_an_address_that_is_neither_folder_nor_http_is_refused(places, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_ZOO", "ftp://example.org/zoo")
    with pytest.raises(WeightsError, match="must be a folder or .* Received: 'ftp://example.org/zoo'"):
        find(NAME)


# The mirror


def test_a_fetched_file_is_kept_and_not_fetched_again(places, mirror):
    assert find(NAME) == find(NAME) == places["cache"] / NAME
    assert (places["cache"] / NAME).read_bytes() == GOOD
    assert (mirror.asked, mirror.sent) == ([None], [len(GOOD)])
    assert not list(places["cache"].glob("*.part"))


@pytest.mark.parametrize("place", ["checkout", "cache"])
def test_a_good_copy_nearby_needs_no_network(places, cached, mirror, place):
    (places[place] / NAME).write_bytes(GOOD)
    assert find(NAME) == places[place] / NAME
    assert mirror.asked == []


def test_a_mirror_may_be_a_folder_of_a_server_and_its_scheme_in_capitals(mirror, monkeypatch):
    monkeypatch.setenv("KERAS_SEGATTN_ZOO", mirror.url.replace("http", "HTTP") + "/a/zoo/")
    mirror.files = {f"/a/zoo/{NAME}": GOOD}
    assert find(NAME).read_bytes() == GOOD


def test_a_server_that_does_not_tell_the_length_will_do(mirror):
    mirror.knows_lengths = False
    assert find(NAME).read_bytes() == GOOD


def test_a_wrong_cached_file_is_fetched_anew(cached, mirror):
    cached.write_bytes(WRONG)
    assert find(NAME).read_bytes() == GOOD


def test_a_wrong_cached_file_is_removed_even_if_the_mirror_fails(cached, mirror):
    cached.write_bytes(WRONG)
    mirror.status = 503
    with pytest.raises(WeightsError):
        find(NAME)
    assert not cached.exists()


@pytest.mark.parametrize("shown", [True, False])
def test_progress_is_drawn_on_stderr_only_if_asked_for(mirror, capfd, shown):
    find(NAME, progress=shown)
    out, err = capfd.readouterr()
    assert out == ""
    assert (NAME in err and "300.0/300.0 kB" in err) if shown else err == ""


# A download that stops, and goes on


def test_after_a_dropped_connection_only_the_rest_is_sent(cached, part, mirror, capfd):
    mirror.drops_at = 200_000
    with pytest.raises(WeightsError, match=r"broke off after \d+\.\d kB of 300.0 kB: try again") as caught:
        find(NAME)
    assert isinstance(caught.value.__cause__, requests.RequestException)
    kept = part.stat().st_size
    assert 100_000 < kept <= 200_000
    assert GOOD.startswith(part.read_bytes())
    assert not cached.exists()

    mirror.drops_at = None
    assert find(NAME, progress=True).read_bytes() == GOOD
    assert mirror.asked == [None, f"bytes={kept}-"]
    assert mirror.sent == [200_000, len(GOOD) - kept]
    assert "300.0/300.0 kB" in capfd.readouterr().err
    assert not part.exists()


def test_a_download_may_drop_again_and_still_goes_on(cached, part, mirror):
    part.write_bytes(GOOD[:1000])
    mirror.drops_at = 200_000
    with pytest.raises(WeightsError, match=r"broke off after \d+\.\d kB of 300.0 kB"):
        find(NAME)
    assert part.stat().st_size > 1000
    assert GOOD.startswith(part.read_bytes())


def test_a_short_answer_is_noticed_even_if_urllib3_takes_it_for_whole(cached, part, mirror, monkeypatch):
    def get(*args, ask=requests.get, **kwargs):
        response = ask(*args, **kwargs)
        response.raw.enforce_content_length = False  # as in urllib3 1
        return response

    monkeypatch.setattr(requests, "get", get)
    mirror.drops_at = 200_000
    with pytest.raises(WeightsError, match="broke off after 200.0 kB of 300.0 kB"):
        find(NAME)
    assert part.read_bytes() == GOOD[:200_000]
    mirror.drops_at = None
    assert find(NAME).read_bytes() == GOOD


def test_a_server_without_ranges_sends_everything_again(part, mirror):
    part.write_bytes(WRONG[:1000])
    mirror.knows_ranges = False
    assert find(NAME).read_bytes() == GOOD
    assert mirror.sent == [len(GOOD)]


def test_a_part_longer_than_the_file_is_started_over(part, mirror):
    part.write_bytes(GOOD + WRONG)
    assert find(NAME).read_bytes() == GOOD
    assert mirror.asked == ["bytes=600000-", None]


def test_a_part_of_another_file_is_thrown_away_and_the_next_try_is_good(cached, part, mirror):
    part.write_bytes(WRONG[:1000])
    with pytest.raises(WeightsError, match="not the file of the zoo"):
        find(NAME)
    assert not part.exists()
    assert find(NAME).read_bytes() == GOOD


# What can go wrong


def test_a_wrong_file_from_the_mirror_is_not_kept(places, mirror):
    mirror.files[f"/{NAME}"] = WRONG
    with pytest.raises(WeightsError, match="/toy%20%231.weights.h5 is not the file of the zoo") as caught:
        find(NAME)
    assert hashlib.sha256(GOOD).hexdigest() in str(caught.value)
    assert hashlib.sha256(WRONG).hexdigest() in str(caught.value)
    assert not any(path.suffix != ".lock" for path in places["cache"].iterdir())


@pytest.mark.parametrize("status", [404, 403, 416, 503])
def test_an_answer_other_than_the_file_is_told_with_its_status(places, mirror, status):
    mirror.status = status
    with pytest.raises(WeightsError, match=f"answered {status} [A-Z].*: set KERAS_SEGATTN_ZOO"):
        find(NAME)
    assert len(mirror.asked) == 1
    assert not any(path.suffix != ".lock" for path in places["cache"].iterdir())


def test_a_failing_mirror_does_not_cost_what_came_before(part, mirror):
    part.write_bytes(GOOD[:1000])
    mirror.status = 503
    with pytest.raises(WeightsError):
        find(NAME)
    assert part.read_bytes() == GOOD[:1000]


def test_a_mirror_that_cannot_be_reached_is_named_without_its_password(places, monkeypatch):
    with socket.socket() as closed:  # bound, but it does not listen
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        monkeypatch.setenv("KERAS_SEGATTN_ZOO", f"http://me:secret@127.0.0.1:{port}")
        with pytest.raises(WeightsError, match=f"cannot reach http://127.0.0.1:{port}/toy") as caught:
            find(NAME)
    assert isinstance(caught.value.__cause__, requests.ConnectionError)
    assert "check the network" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_mirror_that_does_not_answer_is_given_up(mirror, monkeypatch):
    monkeypatch.setattr(weights, "TIMEOUT", (1, 0.2))
    mirror.answers.clear()
    with pytest.raises(WeightsError, match="cannot reach .*ReadTimeout"):
        find(NAME)


@pytest.mark.parametrize("knows_lengths, size", [(True, "300.0 kB"), (False, "unknown size")])
def test_a_mirror_that_falls_silent_midway_is_given_up(mirror, monkeypatch, knows_lengths, size):
    monkeypatch.setattr(weights, "TIMEOUT", (1, 0.2))
    mirror.knows_lengths, mirror.drops_at = knows_lengths, 200_000
    mirror.hangs_up.clear()
    with pytest.raises(WeightsError, match=f"broke off after .* of {size}: try again"):
        find(NAME)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, the disk that is always full")
@pytest.mark.parametrize("length", [300_000, 3_000])  # 3 kB stay in the buffer until the file is closed
def test_a_full_disk_is_told_with_the_size_needed_and_nothing_else_is_lost(cached, part, mirror, length):
    mirror.files[f"/{NAME}"] = GOOD[:length]
    other = cached.with_name("other.weights.h5")
    other.write_bytes(GOOD)
    part.symlink_to("/dev/full")
    with pytest.raises(WeightsError, match="the disk is full") as caught:
        find(NAME)
    assert f"{NAME} needs {length // 1000}.0 kB in {cached.parent}, where " in str(caught.value)
    assert "make room, or set KERAS_SEGATTN_CACHE" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert not cached.exists()
    assert other.read_bytes() == GOOD


def test_a_cache_that_cannot_be_made_is_told_with_the_variable_to_set(places, mirror):
    places["cache"].parent.write_text("a file where a folder should be")
    with pytest.raises(WeightsError, match="cannot write in the cache .*: set KERAS_SEGATTN_CACHE") as caught:
        find(NAME)
    assert str(places["cache"]) in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert mirror.asked == []


def test_a_part_that_cannot_be_written_is_told_with_the_variable_to_set(part, mirror):
    part.mkdir()
    with pytest.raises(WeightsError, match="cannot write in the cache .*: set KERAS_SEGATTN_CACHE"):
        find(NAME)


# Several at once

FIND = """
import sys
from pathlib import Path
from keras_segattn.zoo import weights

weights.CHECKOUT, weights.TABLE = Path(sys.argv[1]), Path(sys.argv[1], "SHA256SUMS")
print("ready", flush=True)
print(weights.find(sys.argv[2]))
"""


def test_of_two_processes_one_fetches_and_the_other_takes_the_same_file(places, mirror):
    mirror.answers.clear()
    command = [sys.executable, "-c", FIND, places["checkout"], NAME]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
    time.sleep(0.5)  # both are in find() now, and no byte has been sent
    mirror.answers.set()
    assert [process.communicate(timeout=10)[0].strip() for process in both] == [
        str(places["cache"] / NAME)
    ] * 2
    assert mirror.sent == [len(GOOD)]


# The table


def test_a_recorded_file_is_found_by_its_new_hash(places):
    path = places["checkout"] / NAME
    path.write_bytes(WRONG)
    assert record(path) == checksum(NAME) == hashlib.sha256(WRONG).hexdigest()
    assert find(NAME) == path


def test_the_table_is_made_sorted_and_understood_by_sha256sum(places):
    weights.TABLE.unlink()
    for name, content in {"b.h5": b"2", "c.h5": b"3", "a.h5": b"1"}.items():
        (places["checkout"] / name).write_bytes(content)
        record(str(places["checkout"] / name))
    assert [line[64:] for line in weights.TABLE.read_text().splitlines()] == ["  a.h5", "  b.h5", "  c.h5"]
    assert not list(places["checkout"].glob("*.part"))
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=places["checkout"], check=True)


def test_a_table_that_cannot_be_written_stays_as_it_was(places):
    before = weights.TABLE.read_text()
    weights.TABLE.with_name("SHA256SUMS.part").mkdir()
    (places["zoo"] / "a.h5").write_bytes(b"1")
    with pytest.raises(WeightsError, match="cannot write .*SHA256SUMS"):
        record(places["zoo"] / "a.h5")
    assert weights.TABLE.read_text() == before


def test_the_table_is_replaced_in_one_step(places):
    (places["zoo"] / "a.h5").write_bytes(b"1")
    with open(weights.TABLE) as opened_before:
        record(places["zoo"] / "a.h5")
        assert opened_before.read().count("\n") == 1
    assert weights.TABLE.read_text().count("\n") == 2


def test_whoever_records_waits_for_the_one_who_is_recording(places):
    (places["zoo"] / "a.h5").write_bytes(b"1")
    before = weights.TABLE.read_text()
    second = threading.Thread(target=record, args=[places["zoo"] / "a.h5"])
    with FileLock(f"{weights.TABLE}.lock"):
        second.start()
        second.join(0.3)
        weights.TABLE.write_text(before + f"{'0' * 64}  first.h5\n")
    second.join(10)
    assert checksum("first.h5") == "0" * 64
    assert checksum("a.h5") == hashlib.sha256(b"1").hexdigest()


def test_recording_a_file_that_is_not_there_names_it(places):
    with pytest.raises(WeightsError, match="cannot read .*a.h5"):
        record(places["zoo"] / "a.h5")


def test_a_name_that_is_not_in_the_table_is_told_and_how_to_train_it(places):
    message = "^toy2.weights.h5: expected one of the 1 files of the zoo. .* is to be trained: segattn train toy2$"
    with pytest.raises(WeightsError, match=message):
        find("toy2.weights.h5")
    with pytest.raises(WeightsError, match="^../fcn8s.h5: expected one of the 1 files of the zoo"):
        find("../fcn8s.h5")


def test_a_binary_mark_of_sha256sum_is_understood(places):
    weights.TABLE.write_text(f"{'0' * 64} *a.h5\n")
    assert checksum("a.h5") == "0" * 64


@pytest.mark.parametrize("line", ["<<<<<<< HEAD", "0" * 63 + "  a.h5", "0" * 65 + "  a.h5", "0" * 64 + "  "])
def test_a_line_that_is_no_checksum_is_named_with_its_number(places, line):
    with open(weights.TABLE, "a") as table:
        table.write(f"{line}\n")
    with pytest.raises(WeightsError, match=f"SHA256SUMS:2 must be .* Received: '{line}'"):
        checksum(NAME)


# The module


def test_the_examples_run():
    assert doctest.testmod(weights).failed == 0


def test_neither_keras_nor_a_backend_is_imported():
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code, weights.__file__], capture_output=True, text=True, check=True
    )
    assert not {"keras", "tensorflow", "jax", "torch"} & set(loaded.stdout.split())


def test_the_table_of_the_checkout_is_beside_the_module():
    assert Path(weights.__file__).parent / "weights" / "SHA256SUMS" == weights.TABLE
    assert os.path.dirname(weights.TABLE) == str(weights.CHECKOUT)
