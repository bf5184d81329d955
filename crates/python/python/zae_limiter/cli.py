"""The command ``zae-limiter``, as it comes with the package."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from . import _native

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with ``argv`` (by default those of this process, without its name), and returns its exit code."""
    if argv is None:
        # The command ends on Ctrl-C as any other does, instead of telling an interpreter that is not running.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        argv = sys.argv[1:]
    return _native.run_command(["zae-limiter", *argv])


if __name__ == "__main__":
    sys.exit(main())
