"""Finding, fetching and verifying, against a server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.base import DataError
from bench.tables import files

CONTENT = b"arch,validation\n" + bytes(range(256)) * 1000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, or under other paths something that is not it."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/gone":
            self.send_error(404)
            return
        half = CONTENT[: len(CONTENT) // 2]
        body = {"/wrong": CONTENT[::-1], "/short": half}.get(self.path, CONTENT)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(half if self.path == "/half" else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    Handler.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def list_file(monkeypatch: pytest.MonkeyPatch):
    """List one file, `a/b.csv`, whose right content is CONTENT."""

    def listed(url: str | None) -> files.Source:
        source = files.Source(
            path="a/b.csv",
            bytes=len(CONTENT),
            sha256=hashlib.sha256(CONTENT).hexdigest(),
            url=url,
            licence="none",
            what="bytes",
            paper="none",
            repository="none",
            commit="0",
            upstream_path="b.csv",
            derived=None,
            origin=None if url else "it was found on a beach",
        )
        monkeypatch.setattr(files, "known", lambda: {source.path: source})
        return source

    return listed


def address(server: http.server.HTTPServer, path: str) -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


def kept(tmp_path: Path) -> list[str]:
    return [it.name for it in (tmp_path / "cache" / "data").rglob("*") if it.is_file()]


def test_a_file_is_fetched_once_and_then_found(server, list_file, tmp_path) -> None:
    list_file(address(server, "/right"))
    assert not files.available("a/b.csv")
    first = files.find("a/b.csv")
    assert first == tmp_path / "cache" / "data" / "a" / "b.csv"
    assert first.read_bytes() == CONTENT
    assert files.available("a/b.csv")
    assert files.fetch(["a/b.csv"]) == {"a/b.csv": first}
    assert Handler.asked == ["/right"]
    assert kept(tmp_path) == ["b.csv"]


def test_progress_is_told_the_size_and_every_byte(server, list_file) -> None:
    class Progress:
        total = 0
        seen = 0
        closed = False

        def update(self, size: int) -> None:
            self.seen += size

        def reset(self) -> None:
            self.seen = 0

        def close(self) -> None:
            self.closed = True

    list_file(address(server, "/right"))
    progress = Progress()
    files.find("a/b.csv", progress)
    assert (progress.total, progress.seen, progress.closed) == (len(CONTENT), len(CONTENT), True)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/wrong", hashlib.sha256(CONTENT[::-1]).hexdigest()),
        ("/half", "ChunkedEncodingError|ConnectionError"),
        ("/short", f"expected {len(CONTENT)} bytes .* got {len(CONTENT) // 2} bytes"),
        ("/gone", "HTTP status 404"),
    ],
)
def test_a_bad_answer_is_refused_and_nothing_is_kept(
    path: str, words: str, server, list_file, tmp_path
) -> None:
    list_file(address(server, path))
    with pytest.raises(DataError, match=words) as caught:
        files.find("a/b.csv")
    assert address(server, path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert kept(tmp_path) == []
    assert not files.available("a/b.csv")


def test_no_connection_is_told_with_the_address(list_file, tmp_path) -> None:
    list_file("http://127.0.0.1:9/nobody-listens")
    with pytest.raises(
        DataError, match=r"expected to fetch http://127\.0\.0\.1:9/nobody-listens, got \w+Error;"
    ):
        files.find("a/b.csv")
    assert kept(tmp_path) == []


def test_a_file_without_address_says_where_it_comes_from_and_where_to_put_it(
    list_file, tmp_path
) -> None:
    list_file(None)
    with pytest.raises(DataError, match="found on a beach") as caught:
        files.find("a/b.csv")
    assert str(tmp_path / "cache" / "data" / "a" / "b.csv") in str(caught.value)
    assert "BENCH_DATA" in str(caught.value)


@pytest.mark.parametrize("content", [CONTENT[::-1], CONTENT[:-1], b""], ids=["wrong", "cut", "no"])
def test_a_wrong_file_in_bench_data_is_refused_never_replaced(
    content: bytes, server, list_file, tmp_path, monkeypatch
) -> None:
    source = list_file(address(server, "/right"))
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    place = tmp_path / "a" / "b.csv"
    place.parent.mkdir()
    place.write_bytes(content)
    with pytest.raises(DataError, match=source.sha256) as caught:
        files.find("a/b.csv")
    assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert str(place) in str(caught.value)
    assert place.read_bytes() == content
    assert Handler.asked == []
    assert files.available("a/b.csv") == (len(content) == len(CONTENT))


def test_bench_data_comes_first_and_needs_no_network(list_file, tmp_path, monkeypatch) -> None:
    list_file("http://127.0.0.1:9/nobody-listens")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    place = tmp_path / "a" / "b.csv"
    place.parent.mkdir()
    place.write_bytes(CONTENT)
    assert files.available("a/b.csv")
    assert files.find("a/b.csv") == place


def test_bench_data_that_is_no_folder_is_an_error(list_file, tmp_path, monkeypatch) -> None:
    list_file(None)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="expected BENCH_DATA to name a folder"):
        files.find("a/b.csv")


def test_a_damaged_download_is_fetched_again(server, list_file, tmp_path, caplog) -> None:
    list_file(address(server, "/right"))
    place = files.find("a/b.csv")
    place.write_bytes(CONTENT[:-7])
    assert files.find("a/b.csv").read_bytes() == CONTENT
    assert Handler.asked == ["/right", "/right"]
    assert "again" in caplog.text


def test_a_verified_file_is_hashed_once_until_it_changes(list_file, tmp_path, monkeypatch) -> None:
    list_file(None)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    place = tmp_path / "a" / "b.csv"
    place.parent.mkdir()
    place.write_bytes(CONTENT)
    hashed = []
    real = files._sha256
    monkeypatch.setattr(files, "_sha256", lambda it: hashed.append(it) or real(it))
    files.find("a/b.csv")
    files.find("a/b.csv")
    assert hashed == [place]
    place.write_bytes(CONTENT[::-1])
    os.utime(place, ns=(1, 1))
    with pytest.raises(DataError, match="is not the published"):
        files.find("a/b.csv")


def test_what_cannot_be_fetched_is_missing_and_what_is_damaged_is_not(
    list_file, tmp_path, monkeypatch
) -> None:
    list_file("http://127.0.0.1:9/nobody-listens")
    assert files.here("a/b.csv") is None
    with pytest.raises(files.MissingError):
        files.find("a/b.csv")
    place = tmp_path / "cache" / "data" / "a" / "b.csv"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(CONTENT[:-1])
    for ask in (files.here, files.find):
        with pytest.raises(DataError, match="is not the published") as caught:
            ask("a/b.csv")
        assert not isinstance(caught.value, files.MissingError)


def test_a_damaged_file_of_the_owners_is_not_fetched_over(
    server, list_file, tmp_path, monkeypatch
) -> None:
    list_file(address(server, "/right"))
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "own"))
    place = tmp_path / "own" / "a" / "b.csv"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"mine")
    with pytest.raises(DataError, match="is not the published"):
        files.find("a/b.csv")
    assert Handler.asked == []


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"x": 1}'])
def test_a_damaged_memory_of_verified_files_costs_nothing_but_time(
    content: str, list_file, tmp_path, monkeypatch
) -> None:
    list_file(None)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    place = tmp_path / "a" / "b.csv"
    place.parent.mkdir()
    place.write_bytes(CONTENT)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "verified.json").write_text(content)
    assert files.find("a/b.csv") == place


def test_a_cache_that_cannot_be_written_is_a_clear_error(
    server, list_file, tmp_path, monkeypatch
) -> None:
    list_file(address(server, "/right"))
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="set BENCH_CACHE to a folder that can be written"):
        files.find("a/b.csv")


def test_an_unknown_path_is_told_with_the_nearest_one() -> None:
    with pytest.raises(DataError, match=r"did you mean 'nasbench201/nasbench201_cifar10\.csv'"):
        files.find("nasbench201/nasbench201_cifar1O.csv")
    with pytest.raises(DataError, match=r"expected a path of sources\.json"):
        files.available("../../etc/passwd")


@pytest.mark.parametrize("name", ["a.pkl", "a.PICKLE", "b/c.pt", "d.pth"])
def test_pickles_are_refused_by_name(name: str) -> None:
    with pytest.raises(DataError, match="can run any code"):
        files.refuse_pickle(Path(name))


def test_other_names_are_not_refused() -> None:
    for name in ("a.csv", "a.json", "a.parquet", "pkl", "a.pkl.csv"):
        files.refuse_pickle(Path(name))


def test_replacing_keeps_the_old_file_if_the_block_fails(tmp_path) -> None:
    place = tmp_path / "x"
    place.write_text("old")

    def half() -> None:
        with files.replacing(place) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        half()
    assert place.read_text() == "old"
    assert [it.name for it in tmp_path.iterdir() if it.is_file()] == ["x"]


def test_sources_agree_with_the_data(data: Path) -> None:
    published = {it["path"]: it for it in json.loads((data / "SOURCES.json").read_text())}
    known = files.known()
    ours = {path for path in known if path.startswith(files.PACKAGED)}
    # There may be data for tables to come; what is read now is published as it is read.
    assert known.keys() - ours <= published.keys()
    for path in ours:
        assert known[path].bytes == (files.HERE / path).stat().st_size
        assert known[path].licence
    for path in known.keys() - ours:
        source, entry = known[path], published[path]
        assert source.bytes == entry["bytes"] == (data / path).stat().st_size
        assert source.sha256 == entry["sha256"]
        assert source.url == entry.get("url")
        assert source.paper
        assert source.licence
        assert (source.url is None) == (source.origin is not None)


def test_every_real_file_verifies(data: Path, monkeypatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(data))
    for path in files.known():
        own = path.startswith(files.PACKAGED)
        assert files.find(path) == (files.HERE if own else data) / path


def test_an_own_file_is_looked_for_in_the_working_folder_where_its_path_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.parquet").write_bytes(CONTENT)
    assert files.find("./mine.parquet") == Path("mine.parquet")
    assert files.available("./mine.parquet")
    found = files.source("./mine.parquet")
    assert (found.path, found.bytes) == ("./mine.parquet", len(CONTENT))
    assert found.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert not files.available("./other.parquet")
    with pytest.raises(DataError, match="own, got none at other.parquet"):
        files.find("./other.parquet")
    with pytest.raises(DataError, match="expected a path of sources.json, got 'mine.parquet'"):
        files.find("mine.parquet")
