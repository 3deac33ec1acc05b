"""s3transfer in our executor, against a small S3 over real sockets, with botocore's real client."""

from __future__ import annotations

import contextlib
import http.server
import os
import random
import re
import threading
import urllib.parse

import pytest

from surefoot import AdaptiveThreadPoolExecutor

pytest.importorskip("s3transfer", reason="s3transfer is not installed")

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("SUREFOOT_TEST_STANDARD_ONLY") == "1", reason="SUREFOOT_TEST_STANDARD_ONLY=1"
    ),
    # botocore's own.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

import botocore.session  # noqa: E402
from botocore.config import Config  # noqa: E402
from s3transfer.futures import BoundedExecutor  # noqa: E402
from s3transfer.manager import TransferConfig, TransferManager  # noqa: E402

PART = 5 * 1024 * 1024


class Store(http.server.BaseHTTPRequestHandler):
    """Objects, multipart uploads and ranges: as much of S3 as a transfer uses."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        pass

    @property
    def query(self):
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))

    @property
    def key(self):
        return urllib.parse.urlsplit(self.path).path

    def answer(self, status=200, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked" or "aws-chunked" in self.headers.get(
            "Content-Encoding", ""
        ):
            pytest.fail("the client was told not to send checksums in trailers")
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_PUT(self):
        body = self.body()
        with self.server.lock:
            if "partNumber" in self.query:
                self.server.parts[self.query["uploadId"]][int(self.query["partNumber"])] = body
            else:
                self.server.objects[self.key] = body
        self.answer(ETag=f'"{len(body)}"')

    def do_POST(self):
        body = self.body()
        if "uploads" in self.query:
            with self.server.lock:
                upload = f"upload{len(self.server.parts)}"
                self.server.parts[upload] = {}
            self.answer(
                body=b"<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>"
                % upload.encode()
            )
        else:
            numbers = [int(number) for number in re.findall(rb"<PartNumber>(\d+)<", body)]
            parts = self.server.parts[self.query["uploadId"]]
            assert numbers == sorted(parts)
            with self.server.lock:
                self.server.objects[self.key] = b"".join(parts[number] for number in numbers)
            self.answer(body=b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")

    def do_HEAD(self):
        content = self.server.objects[self.key]
        self.answer(Content_Length=str(len(content)), ETag='"x"')

    def do_GET(self):
        content = self.server.objects[self.key]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self.answer(body=content, ETag='"x"')
            return
        first = int(wanted[1])
        last = int(wanted[2]) if wanted[2] else len(content) - 1
        with self.server.lock:
            self.server.ranges.append((first, last))
        part = content[first : last + 1]
        self.answer(
            206, part, ETag='"x"', Content_Range=f"bytes {first}-{first + len(part) - 1}/{len(content)}"
        )


@contextlib.contextmanager
def store():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.lock, server.objects, server.parts, server.ranges = threading.Lock(), {}, {}, []
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def client(server):
    config = Config(
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=50,
    )
    return botocore.session.get_session().create_client(
        "s3",
        region_name="nowhere-1",
        endpoint_url=f"http://127.0.0.1:{server.server_address[1]}",
        aws_access_key_id="dummy",
        aws_secret_access_key="dummy",
        config=config,
    )


class Recorded(AdaptiveThreadPoolExecutor):
    """Remembers the executors that are made, as they are not to be had from the manager."""

    made: list = []  # noqa: RUF012

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.made.append(self)


def test_bytes_arrive_in_parts_and_whole(tmp_path):
    content = random.Random(7).randbytes(6 * PART + 12345)
    (tmp_path / "sent").write_bytes(content)
    Recorded.made.clear()
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_request_concurrency=20)
    with store() as server:
        s3 = client(server)
        with contextlib.closing(s3), TransferManager(s3, config, executor_cls=Recorded) as transfers:
            transfers.upload(str(tmp_path / "sent"), "bucket", "large").result()
            assert server.objects["/bucket/large"] == content
            assert [len(parts) for parts in server.parts.values()] == [7]
            transfers.download("bucket", "large", str(tmp_path / "received")).result()
            assert (tmp_path / "received").read_bytes() == content
            assert len(server.ranges) == 7
            (tmp_path / "small").write_bytes(b"small")
            futures = [transfers.upload(str(tmp_path / "small"), "bucket", f"small{n}") for n in range(30)]
            for future in futures:
                future.result()
        assert sum(key.startswith("/bucket/small") for key in server.objects) == 30
    # One for requests, one for submissions, one for writing files; the config's numbers are the caps.
    assert sorted(executor.stats().cap for executor in Recorded.made) == [1, 5, 20]
    assert all(executor._shutdown for executor in Recorded.made)
    assert sum(executor.stats().tasks_done for executor in Recorded.made) > 40
    assert sum(executor.stats().tasks_failed for executor in Recorded.made) == 0


def test_the_class_attribute_serves_boto3(tmp_path, monkeypatch):
    """boto3 has no argument for the class; what it uses underneath has an attribute."""
    monkeypatch.setattr(BoundedExecutor, "EXECUTOR_CLS", Recorded)
    Recorded.made.clear()
    (tmp_path / "sent").write_bytes(b"x" * 1000)
    with store() as server:
        s3 = client(server)
        with contextlib.closing(s3), TransferManager(s3) as transfers:
            transfers.upload(str(tmp_path / "sent"), "bucket", "key").result()
        assert server.objects["/bucket/key"] == b"x" * 1000
    assert len(Recorded.made) == 3


def test_an_error_of_the_service_is_the_futures(tmp_path):
    with store() as server:
        s3 = client(server)
        with (
            contextlib.closing(s3),
            TransferManager(s3, executor_cls=AdaptiveThreadPoolExecutor) as transfers,
        ):
            future = transfers.upload(str(tmp_path / "is-not-there"), "bucket", "key")
            with pytest.raises(OSError, match="is-not-there"):
                future.result()
