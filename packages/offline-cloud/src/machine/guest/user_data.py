"""User data as cloud-init takes it apart: which parts there are, in which order, of which kind."""

import email
import gzip
import zlib

BOOTHOOK, SCRIPT = "text/cloud-boothook", "text/x-shellscript"
STARTS = (
    (b"#!", SCRIPT),
    (b"#cloud-boothook", BOOTHOOK),
    (b"#cloud-config-archive", "text/cloud-config-archive"),
    (b"#cloud-config", "text/cloud-config"),
    (b"#include-once", "text/x-include-once-url"),
    (b"#include", "text/x-include-url"),
    (b"#part-handler", "text/part-handler"),
    (b"## template: jinja", "text/jinja2"),
)
PLAIN = ("text/plain", "text/x-not-multipart", "application/octet-stream")
PACKED = ("application/gzip", "application/x-gzip", "application/x-compressed")
OUR_MARK = b"# gpu-actions: guest time limit"


def _unpacked(content):
    if content[:2] == b"\x1f\x8b":
        try:
            return gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return content
    return content


def _kind(content):
    for start, kind in STARTS:
        if content.startswith(start):
            return kind
    return "text/x-not-multipart"


def parts(user_data):
    """(kind, content) of every part, in order."""
    content = _unpacked(user_data)
    head = content[:4096].lower()
    if not (head.startswith((b"content-type:", b"mime-version:")) or b"\nmime-version:" in head):
        return [(_kind(content), content)] if content.strip() else []
    message = email.message_from_bytes(content)
    found = []
    for part in message.walk():
        if part.is_multipart():
            continue
        body = _unpacked(part.get_payload(decode=True) or b"")
        kind = part.get_content_type()
        found.append((_kind(body) if kind in PLAIN + PACKED else kind, body))
    return found


def boothook_body(content):
    """What is written to disk and executed: without the line that only names the kind."""
    if content.startswith(b"#cloud-boothook"):
        content = content.partition(b"\n")[2]
    return content.lstrip()
