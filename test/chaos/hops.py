"""Where probes were seen on the underlay, for hops.ts: one process that listens at the port of every node.

Requests are lines of JSON on standard input, {"id": n, "do": name, ...}; answers {"id": n, "ok": ...} or {"id": n, "error": text}.
A probe (see lab/frames.py) in a tunnel from node a to node b is seen when it has left a, and when it arrives at b. Node numbers
are the last octets of the tunnel's addresses. It ends when standard input does.
"""

import ctypes
import json
import os
import selectors
import signal
import socket
import struct
import sys

MAGIC = b"l2smPrb!"
LENGTH = len(MAGIC) + 8
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 0x0003
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS = 263, 6
PACKET_OUTGOING = 4
libc = ctypes.CDLL(None, use_errno=True)


class Taps:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.sockets = []
        self.seen = {}  # by stream, then sequence number: set of (a, b, arrived)
        self.unread = b""

    def run(self):
        os.set_blocking(0, False)
        self.selector.register(0, selectors.EVENT_READ, None)
        while True:
            for key, _ in self.selector.select():
                if key.data is not None:
                    self.receive(key.data)
                elif not self.read_requests():
                    return

    def receive(self, sock):
        for _ in range(256):
            try:
                frame, address = sock.recvfrom(2048)
            except OSError:
                return
            # A tunnel's headers are 50 bytes: Ethernet, IPv4, UDP, VXLAN.
            at = frame.find(MAGIC, 50)
            # Copies on their way to a controller hold probes, too: those are TCP.
            if at < 0 or at > len(frame) - LENGTH or frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_UDP:
                continue
            stream, sequence = struct.unpack_from("!II", frame, at + len(MAGIC))
            leg = (frame[29], frame[33], address[2] == PACKET_OUTGOING)
            self.seen.setdefault(stream, {}).setdefault(sequence, set()).add(leg)

    def read_requests(self):
        try:
            text = os.read(0, 1 << 20)
        except BlockingIOError:
            return True
        if text == b"":
            return False
        *lines, self.unread = (self.unread + text).split(b"\n")
        for line in lines:
            request = json.loads(line)
            try:
                answer = getattr(self, "do_" + request["do"])(request)
                print(json.dumps({"id": request["id"], "ok": answer}), flush=True)
            except (OSError, KeyError) as error:
                print(json.dumps({"id": request["id"], "error": str(error)}), flush=True)
        return True

    def do_open(self, request):
        there = os.open("/run/netns/" + request["netns"], os.O_RDONLY)
        if libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(there)
        for device in request["devices"]:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
            sock.bind((device, ETH_P_ALL))
            self.sockets.append(sock)
            self.selector.register(sock, selectors.EVENT_READ, sock)
        return {}

    def do_legs(self, request):
        """Of these sequence numbers of a stream, each leg on which they were seen: [a, b, arrived]."""
        seen = self.seen.get(request["stream"], {})
        return [sorted(seen.get(sequence, ())) for sequence in request["sequences"]]

    def do_forget(self, request):
        self.seen.clear()
        drops = 0
        for sock in self.sockets:
            drops += struct.unpack("=II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        return {"drops": drops}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Taps().run()
