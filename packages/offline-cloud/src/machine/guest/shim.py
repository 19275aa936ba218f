"""Stands in for systemctl, systemd-run, shutdown, poweroff, halt and reboot inside a machine.

Called as `python3 shim.py SOCKET NAME ARGUMENTS…`. It only carries the call to the supervisor,
which plays the part of systemd, and prints what that answers. Python 3.8, standard library only.
"""

import json
import os
import socket
import sys


def main() -> int:
    place, name, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    request = {
        "name": name,
        "arguments": arguments,
        "directory": os.getcwd(),
        "environment": dict(os.environ),
    }
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # A socket's path holds about 100 characters, a machine's directory may be longer.
        os.chdir(os.path.dirname(place))
        connection.connect(os.path.basename(place))
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            chunk = connection.recv(65536)
            if not chunk:
                break
            answer += chunk
    except OSError as error:
        print(f"{name}: the offline cloud's machine does not answer: {error}", file=sys.stderr)
        return 1
    if not answer:  # The machine went down before it answered, as a real one would.
        return 0
    reply = json.loads(answer)
    sys.stdout.write(reply["stdout"])
    sys.stderr.write(reply["stderr"])
    return reply["code"]


if __name__ == "__main__":
    sys.exit(main())
