"""What is wrong with a trace that cannot be read."""

from pathlib import Path


class TraceError(ValueError):
    """A trace cannot be read; the text names file, line, field and the way out.

    Args:
        path: The file.
        line: Which of its lines, from 1; None: the file as a whole.
        trouble: What is wrong, and what would be right.
    """

    def __init__(self, path: Path, line: int | None, trouble: str) -> None:
        super().__init__(f"{path}: {trouble}" if line is None else f"{path}, line {line}: {trouble}")
        self.path = path
        self.line = line
