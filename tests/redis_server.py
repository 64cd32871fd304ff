"""A private Redis for tests: started, frozen, killed, flushed, filled with wrong data and removed.

Refuses to use a server that is already there, and to skip when Redis is not installed.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

DEADLINE_SECONDS = 30
KEYS = "schema:*"

# Every value goes to the key of its type behind its own, so that each is well formed and the answer to another
# question. Redis types are told apart because a server may keep strings as well as hashes.
_EXCHANGE = """
local by_type = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local type = redis.call('TYPE', key).ok
  by_type[type] = by_type[type] or {}
  table.insert(by_type[type], key)
end
local changed = 0
for _, keys in pairs(by_type) do
  table.sort(keys)
  local values = {}
  for i, key in ipairs(keys) do values[i] = redis.call('DUMP', key) end
  for i, key in ipairs(keys) do
    redis.call('RESTORE', key, 3600000, values[i % #keys + 1], 'REPLACE')
    changed = changed + 1
  end
end
return changed
"""
# One byte in the middle differs, as after a fault of memory.
_DAMAGE = """
local function damaged(value)
  local middle = math.floor(#value / 2) + 1
  local byte = string.char((value:byte(middle) or 0) % 255 + 1)
  return value:sub(1, middle - 1) .. byte .. value:sub(middle + 1)
end
local changed = 0
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local type = redis.call('TYPE', key).ok
  if type == 'hash' then
    local fields = redis.call('HGETALL', key)
    for i = 1, #fields, 2 do redis.call('HSET', key, fields[i], damaged(fields[i + 1])) end
    changed = changed + 1
  elseif type == 'string' then
    redis.call('SET', key, damaged(redis.call('GET', key)), 'KEEPTTL')
    changed = changed + 1
  end
end
return changed
"""
# Text that was never ours, and in the place of a hash a string.
_REPLACE = """
local changed = 0
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  redis.call('SET', key, '{"schema":"\\\\"string\\\\"","id":1,"version":1}')
  changed = changed + 1
end
return changed
"""


class PrivateRedis:
    """One instance on a free port of the loopback, without persistence; ended at the end of its block.

    It keeps its port over `kill` and `start`, as a server that comes back does.
    """

    def __init__(self, *options: str) -> None:
        self._program = _find_program()
        self._folder = Path(tempfile.mkdtemp(prefix="lsr-redis-"))
        self._socket = self._folder / "socket"
        self._options = options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.start()

    @property
    def url(self) -> str:
        """The URL for servers."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start an empty instance and wait until it answers."""
        self._socket.unlink(missing_ok=True)
        command = [
            *(self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self._socket)),
            *("--save", "", "--appendonly", "no", "--dir", str(self._folder), *self._options),
        ]
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.remove()
                raise RuntimeError("Redis did not start")
            time.sleep(0.01)

    def freeze(self) -> None:
        """Let it take connections and answer nothing more."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process at once, also a frozen one; its port refuses connections."""
        self._process.kill()
        self._process.wait(DEADLINE_SECONDS)

    def ask(self, *words: str) -> str:
        """Run a command of Redis and return what it prints. Raises CalledProcessError."""
        # -e: an error answered is one of the program.
        command = ["redis-cli", "-e", "-s", str(self._socket), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE_SECONDS).stdout

    def flush(self) -> int:
        """Remove every key; return how many keys."""
        removed = int(self.ask("DBSIZE"))
        self.ask("FLUSHALL")
        return removed

    def keys(self, pattern: str = KEYS) -> list[str]:
        """Name the keys of a pattern."""
        return sorted(self.ask("KEYS", pattern).split())

    def exchange(self, pattern: str = KEYS) -> int:
        """Give every key the value of another one of its type; return how many keys."""
        return self._change(_EXCHANGE, pattern)

    def damage(self, pattern: str = KEYS) -> int:
        """Change one byte of every value; return how many keys."""
        return self._change(_DAMAGE, pattern)

    def replace(self, pattern: str = KEYS) -> int:
        """Put a foreign text, which reads as an answer, under every key; return how many keys."""
        return self._change(_REPLACE, pattern)

    def remove(self) -> None:
        """End the instance and remove all it wrote."""
        self.kill()
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def _change(self, script: str, pattern: str) -> int:
        return int(self.ask("EVAL", script, "0", pattern))

    def _answers(self) -> bool:
        try:
            return self.ask("PING").strip() == "PONG"
        except (subprocess.SubprocessError, OSError):
            return False


def _find_program() -> str:
    found = shutil.which("redis-server")
    if found is None:
        raise RuntimeError("redis-server is not installed: run make setup-test")
    return found
