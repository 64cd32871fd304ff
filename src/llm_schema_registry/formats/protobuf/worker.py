"""The process that runs protoc: reads one request after another from its standard input, a socket, and answers there.

Refuses to be imported by the server: protoc aborts the process on some schemas, so it runs only here, as a script.
Frames: a request is a length (4 bytes, big endian) and JSON `{"main": name, "files": {name: text}, "seconds": n}`;
an answer is the exit code, two lengths, a serialized FileDescriptorSet and the text that protoc wrote. Before the first
request comes one byte that says that protoc is loaded.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import struct
import sys
import tempfile
import time
from pathlib import Path

from grpc_tools import _protoc_compiler

MEMORY_BYTES = 1 << 30
STDERR_BYTES = 1 << 16
READY = b"\1"
LENGTH = struct.Struct(">I")
ANSWER = struct.Struct(">iII")


def confine() -> None:  # pragma: no cover # another process
    """Give this process no core file, a bounded address space, and an empty directory that no one else can name."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # A signal to the whole process group is for the server; this process ends when the server's socket closes.
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    directory = tempfile.mkdtemp()
    os.chdir(directory)
    Path(directory).rmdir()


def memory_file(content: bytes = b"") -> int:  # pragma: no cover # another process
    """Return the descriptor of a file that lives in memory only."""
    descriptor = os.memfd_create("protoc")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return descriptor


def content_of(descriptor: int, limit: int | None = None) -> bytes:  # pragma: no cover # another process
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        return file.read() if limit is None else file.read(limit)


def compile_request(
    request: dict[str, object], include: list[str], errors: int
) -> tuple[int, bytes, bytes]:  # pragma: no cover # another process
    """Run protoc on the files of a request. Its complaints name them as the request does."""
    files: dict[str, str] = request["files"]  # type: ignore[assignment] # the server wrote this frame
    descriptors: list[int] = []
    names: dict[bytes, bytes] = {}
    arguments = ["protoc"]
    for name, text in files.items():
        descriptor = memory_file(text.encode())
        descriptors.append(descriptor)
        names[f"/proc/self/fd/{descriptor}".encode()] = name.encode()
        arguments.append(f"-I{name}=/proc/self/fd/{descriptor}")
    output = memory_file()
    descriptors.append(output)
    arguments += [f"-I{mapping}" for mapping in include]
    arguments += ["--include_imports", "--retain_options", f"--descriptor_set_out=/proc/self/fd/{output}"]
    arguments.append(str(request["main"]))
    os.ftruncate(errors, 0)
    os.lseek(errors, 0, os.SEEK_SET)
    code = _protoc_compiler.run_main([argument.encode() for argument in arguments])
    compiled = content_of(output)
    complaints = content_of(errors, STDERR_BYTES)
    for descriptor in descriptors:
        os.close(descriptor)
    complaints = re.sub(rb"(?m)^/proc/self/fd/\d+(?=:)", lambda match: names.get(match[0], match[0]), complaints)
    return code, compiled, complaints


def serve(connection: socket.socket, include: list[str]) -> None:  # pragma: no cover # another process
    """Answer requests until the other side closes."""
    errors = memory_file()
    os.dup2(errors, 2)
    connection.sendall(READY)
    stream = connection.makefile("rwb")
    while len(head := stream.read(LENGTH.size)) == LENGTH.size:
        body = stream.read(LENGTH.unpack(head)[0])
        try:
            request = json.loads(body)
        except ValueError:
            return  # the server died while it was writing
        # The limit counts the whole life of a process, so it moves along with each request.
        spent = int(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (spent + 2 + int(request["seconds"]), resource.RLIM_INFINITY))
        code, compiled, complaints = compile_request(request, include, errors)
        stream.write(ANSWER.pack(code, len(compiled), len(complaints)) + compiled + complaints)
        stream.flush()


def main() -> None:  # pragma: no cover # another process
    confine()
    connection = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    serve(connection, sys.argv[1:])


if __name__ == "__main__":  # pragma: no cover # another process
    main()
