# SPDX-License-Identifier: MIT
"""QEMU's monitor: one command after the other, and their answers."""
import json
import socket


class Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.stream = self.socket.makefile("rw")
        self.stream.readline()                           # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        """The whole answer, with "return" or "error"."""
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        answer = {}
        while "return" not in answer and "error" not in answer:
            answer = json.loads(self.stream.readline())  # events come in between
        return answer
