"""Sends one frame as often as the machine can, for some seconds; says how many went out.

storm.py DEVICE SECONDS HEX [HEX ...]: several frames are sent by turns."""

import socket
import sys
import time

device, seconds, *texts = sys.argv[1:]
frames = [bytes.fromhex(text) for text in texts]
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((device, 0))
end = time.monotonic() + float(seconds)
sent = 0
while time.monotonic() < end:
    for _ in range(64):
        try:
            out.send(frames[sent % len(frames)])
        except OSError:
            # Its queue is full, or its link is down: both are for the network to decide.
            continue
        sent += 1
print(sent)
