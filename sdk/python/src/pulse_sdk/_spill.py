"""Spans in files, so that those that wait for Pulse outlive the program."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import time
from typing import BinaryIO, Iterator, List, Optional, Tuple

from ._log import never_raises, warn_once

FILE_BYTES = 4 << 20  # where the next file begins, so that sent spans do not hold much space
GONE_AFTER = 3600.0  # seconds without a change after which another host's file counts as left behind

# Begins the random part of all of this process's files: another process may have had its number.
_TOKEN = secrets.token_hex(4)

_NAME = re.compile(r"(?P<host>.+)-(?P<process>\d+)-(?P<random>[0-9a-f]+)\.ndjson")


class File:
    """One file of spans: a line with their resource and scope, then a line per span."""

    def __init__(self, path: str, waiting: int = 0, size: int = 0, out: Optional[BinaryIO] = None) -> None:
        self.path = path
        self.waiting = waiting  # spans in it that were neither taken nor refused
        self.size = size
        self._out = out

    def write(self, line: bytes) -> None:
        assert self._out is not None
        self._out.write(line + b"\n")
        self._out.flush()
        self.size += len(line) + 1
        self.waiting += 1

    def close(self) -> None:
        if self._out is not None:
            self._out.close()


class Spill:
    """Writes this process's files in a directory, and takes over those of processes that are gone."""

    def __init__(self, directory: str, most: int) -> None:
        self._directory = directory
        self._most = most
        self._files: List[File] = []
        self._open: Optional[File] = None

    def _new_path(self) -> str:
        return os.path.join(self._directory, f"{_host()}-{os.getpid()}-{_TOKEN}{secrets.token_hex(4)}.ndjson")

    @never_raises
    def write(self, header: bytes, line: bytes) -> Optional[File]:
        """Keeps a span's line, and gives the file that has it."""
        file = self._open
        if file is None or file.size >= min(FILE_BYTES, self._most // 4):
            os.makedirs(self._directory, exist_ok=True)
            path = self._new_path()
            file = File(path, out=open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"))
            if self._open is not None:
                self._open.close()
            file.write(header)
            file.waiting = 0
            self._open = file
            self._files.append(file)
        file.write(line)
        while len(self._files) > 1 and sum(file.size for file in self._files) > self._most:
            warn_once("spill", "the spill directory is full: its oldest spans would be lost in a crash")
            self._remove(self._files[0])
        return file

    @never_raises
    def settle(self, file: File) -> None:
        """Says that one span of the file need not be kept any more."""
        file.waiting -= 1
        if file.waiting <= 0 and file in self._files:
            self._remove(file)

    def _remove(self, file: File) -> None:
        self._files.remove(file)
        file.close()
        if self._open is file:
            self._open = None
        with contextlib.suppress(FileNotFoundError):
            os.remove(file.path)

    def left_behind(self) -> Iterator[Tuple[File, bytes, List[bytes]]]:
        """Takes over the files of processes that are gone, oldest first: each with its header and its spans."""
        found = []
        for name in os.listdir(self._directory) if os.path.isdir(self._directory) else ():
            path = os.path.join(self._directory, name)
            with contextlib.suppress(FileNotFoundError):  # another process has taken it over
                changed = os.stat(path).st_mtime
                if self._is_left_behind(name, changed):
                    found.append((changed, path))
        for _, path in sorted(found):
            ours = self._new_path()
            try:
                os.rename(path, ours)  # of two processes that start, one has it
            except FileNotFoundError:
                continue
            header, lines = _read(ours)
            if not header or not lines:
                os.remove(ours)
                continue
            file = File(ours, len(lines), os.path.getsize(ours))
            self._files.insert(0, file)
            yield file, header, lines

    def _is_left_behind(self, name: str, changed: float) -> bool:
        match = _NAME.fullmatch(name)
        if match is None:
            return False
        if match["host"] != _host():
            return time.time() - changed > GONE_AFTER
        if int(match["process"]) == os.getpid():
            return not match["random"].startswith(_TOKEN)
        return not _lives(int(match["process"]))


def _host() -> str:
    return re.sub(r"[^\w.]+", "_", socket.gethostname()) or "host"


def _lives(process: int) -> bool:
    if os.name == "nt":
        return False  # there os.kill would end it; to send a living process's spans too does no harm
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _read(path: str) -> Tuple[bytes, List[bytes]]:
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    whole = [line for line in lines[:-1] if _parses(line)]  # what follows the last line's end is torn
    if not whole or b'"resource"' not in whole[0]:
        return b"", []
    return whole[0], whole[1:]


def _parses(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
