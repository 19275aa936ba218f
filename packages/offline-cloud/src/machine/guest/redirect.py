"""Paths of a machine that has no root of its own (no namespaces: macOS, some containers).

The scripts of this suite name a machine's places by their absolute paths. Where nothing can be
mounted, these are rewritten in the script's text to lie in the machine's own directory. That is no
protection: it is why a caller's user data is refused there.
"""

import re

PLACES = rb"(?:etc|run|var|root|home)(?![\w.-])|opt/pytorch(?![\w.-])"
PROGRAMS = rb"systemctl|systemd-run|shutdown|poweroff|halt|reboot|aws"
_PLACE = re.compile(rb"(?<![\w.$})/-])/(" + PLACES + rb")")
_PROGRAM = re.compile(rb"(?<![\w.$})/-])/(?:usr/)?s?bin/(" + PROGRAMS + rb")\b")


def redirected(script, root):
    """The script with the machine's places below `root`; programs become the stand-ins."""
    place = root.encode()
    script = _PROGRAM.sub(lambda found: place + b"/opt/offline/bin/" + found[1], script)
    return _PLACE.sub(lambda found: place + b"/" + found[1], script)
