#!/usr/bin/env python3
"""Print the process id of the hcsd at a socket: service_pid.py SOCKET

Never starts one.  The exit status is 1 when nobody answers.
"""
import json
import socket
import sys


def ask(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        s.sendall(b'{"method":"org.libhcs.ComputeService.GetInfo"}\0')
        data = b""
        while not data.endswith(b"\0"):
            more = s.recv(65536)
            if not more:
                raise OSError("the service closed the connection")
            data += more
    return json.loads(data[:-1])["parameters"]["info"]["pid"]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(ask(sys.argv[1]))
    except (OSError, ValueError, KeyError):
        sys.exit(1)
