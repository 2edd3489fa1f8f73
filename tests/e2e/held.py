"""What a process holds that may leak: threads, sockets, files."""

import psutil  # type: ignore[import-untyped]  # it ships no types
import trio
from attrs import frozen


@frozen
class Held:
    """What a process holds that may leak."""

    threads: int
    sockets: int
    files: int

    @classmethod
    def by(cls, pid: int) -> "Held":
        """Count what a process holds now."""
        process = psutil.Process(pid)
        with process.oneshot():
            return cls(process.num_threads(), len(process.net_connections("all")), process.num_fds())

    def at_most(self, other: "Held") -> bool:
        """Whether it is no more than that in any respect."""
        return self.threads <= other.threads and self.sockets <= other.sockets and self.files <= other.files

    @classmethod
    async def usually_by(cls, pid: int) -> "Held":
        """Watch a process for three seconds: things come and go, so what is usual is the most that was seen."""
        seen = []
        for _ in range(60):
            seen.append(cls.by(pid))
            await trio.sleep(0.05)
        return cls(
            max(each.threads for each in seen), max(each.sockets for each in seen), max(each.files for each in seen)
        )
