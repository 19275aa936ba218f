"""Why a program ends without a result: each reason has its own kind, exit code and words."""

from typing import Dict, List, Optional

# 1 is Python's own code for an uncaught exception, 2 what argparse uses for wrong arguments.
EXIT_CODES: Dict[str, int] = {
    "internal": 1,
    "arguments": 2,
    "no-gpu": 3,
    "no-torch": 4,
    "unsupported": 5,
    "out-of-memory": 6,
    "device": 7,
    "interrupted": 8,
    "compile": 9,
    "rank": 10,
}


class Interrupted(BaseException):
    """A signal asked this process to end. Not an Exception, so that no library swallows it."""


class Fault(Exception):
    """Ends the program with an error event.

    `kind` is a key of EXIT_CODES; `faults` lists each wrong argument by itself.
    """

    def __init__(self, kind: str, message: str, faults: Optional[List[str]] = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.faults = faults or []

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.kind]
