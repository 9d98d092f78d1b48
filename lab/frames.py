"""Raw frames in and out of pods, for frames.ts: Node has no packet sockets. Needs root, Linux and Python 3, nothing else.

One process for all pods: it enters each pod's namespace once, opens a packet socket there, and keeps it.
Requests are lines of JSON on standard input, {"id": n, "do": name, ...}; answers on standard output are
{"id": n, "ok": ...} or {"id": n, "error": text}, and captured frames {"frame": hex, "pod": name, "time": ms, "probe": bool}.
It ends when standard input does.

A frame that holds MAGIC anywhere is a probe: MAGIC, stream (4 bytes), sequence (4 bytes). Every probe that
arrives at an open pod is counted by stream; only a few numbers a stream leave this process.
"""

import ctypes
import errno
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time

MAGIC = b"l2smPrb!"
LENGTH = len(MAGIC) + 8
LIMIT = 1 << 24  # a sequence number beyond is not ours, and must not make us allocate
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 0x0003
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 6, 8, 23
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 0x10, 0x40

libc = ctypes.CDLL(None, use_errno=True)


def inside(netns, make):
    """What `make` answers when it is called in this namespace."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + netns, os.O_RDONLY)
    try:
        enter(there)
        try:
            return make()
        finally:
            enter(home)
    finally:
        os.close(home)
        os.close(there)


def packet_socket(device):
    # Protocol 0 receives nothing: not a frame before everything is set.
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.bind((device, ETH_P_ALL))
    return sock


def member_socket(device, group):
    """While it is open, the kernel is a member of the group on this device, and says so."""
    index = socket.if_nametoindex(device)
    if ":" in group:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        wish = socket.inet_pton(socket.AF_INET6, group) + struct.pack("=I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, wish)
    else:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        wish = socket.inet_aton(group) + bytes(4) + struct.pack("=i", index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, wish)
    return sock


def enter(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "setns: " + os.strerror(error))


def restore_tag(frame, ancillary):
    """The kernel takes the outer VLAN tag off a received frame and tells it beside."""
    for level, kind, value in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA and len(value) >= 20:
            status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", value[:20])
            if status & TP_STATUS_VLAN_VALID:
                kept = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                return frame[:12] + struct.pack("!HH", kept, tci) + frame[12:]
    return frame


class Tally:
    """What one pod received of one stream."""

    __slots__ = ("times", "frames", "distinct", "reordered", "highest", "last", "gap")

    def __init__(self):
        self.times = bytearray()  # by sequence number, up to 255
        self.frames = self.distinct = self.reordered = 0
        self.highest = -1
        self.last = None
        self.gap = 0.0

    def add(self, sequence, now):
        if sequence >= len(self.times):
            self.times.extend(bytes(sequence + 1 - len(self.times) + 1024))
        if self.times[sequence] == 0:
            self.distinct += 1
            if sequence < self.highest:
                self.reordered += 1
        if self.times[sequence] < 255:
            self.times[sequence] += 1
        self.highest = max(self.highest, sequence)
        self.frames += 1
        if self.last is not None:
            self.gap = max(self.gap, now - self.last)
        self.last = now


class Pod:
    def __init__(self, name, netns, device):
        self.name, self.netns, self.device = name, netns, device
        self.socket = inside(netns, lambda: packet_socket(device))
        self.groups = {}
        self.captures = 0  # how many capture all but probes
        self.probe_captures = 0  # how many capture probes too
        self.tallies = {}
        self.overflow = 0

    def dropped(self):
        """Frames that came faster than they were read, since the pod was opened. The kernel's count starts anew when read."""
        _, drops = struct.unpack("=II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self.overflow += drops
        return self.overflow


class Sending:
    """A run of frames, paced by the clock: when late, it catches up."""

    def __init__(self, frame_at, count, pps):
        self.frame_at, self.count, self.pps = frame_at, count, pps
        self.sent = 0
        self.begin = time.monotonic()
        self.stopped = False

    def due(self):
        return self.begin + self.sent / self.pps

    def step(self, now):
        """Sends what is due, at most 64 frames, so that receiving goes on. True when all is sent."""
        for _ in range(64):
            if self.stopped or self.sent >= self.count:
                return True
            if self.due() > now:
                return False
            pod, frame = self.frame_at(self.sent)
            try:
                pod.socket.send(frame)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.ENOBUFS):  # full: again in a moment
                    raise OSError(error.errno, "%s: %s" % (pod.name, error.strerror))
                return False
            self.sent += 1
        return False


def numbered(pod, template):
    """The same frame each time, but for the sequence number of its probe, if it holds one."""
    frame = bytearray(template)
    at = frame.find(MAGIC)

    def frame_at(sequence):
        if at >= 0:
            struct.pack_into("!I", frame, at + len(MAGIC) + 4, sequence)
        return pod, frame

    return frame_at


class Process:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.pods = {}
        self.sendings = {}  # by the id of the request
        self.waiting = []  # (stream, quiet seconds, since when, id of the request)
        self.unread = b""

    def run(self):
        os.set_blocking(0, False)
        self.selector.register(0, selectors.EVENT_READ, None)
        while True:
            for key, _ in self.selector.select(self.timeout()):
                if key.data is not None:
                    self.receive(key.data)
                elif not self.read_requests():
                    return
            self.send_due()
            self.answer_quiet()

    def timeout(self):
        if any(sending.due() <= time.monotonic() for sending in self.sendings.values()):
            return 0.0005
        nearest = min((sending.due() for sending in self.sendings.values()), default=None)
        if nearest is None:
            return 0.01 if self.waiting else None
        return max(0.0, min(nearest - time.monotonic(), 0.01 if self.waiting else 1.0))

    def receive(self, pod):
        for _ in range(128):
            try:
                frame, ancillary, _, _ = pod.socket.recvmsg(65536, 64)
            except BlockingIOError:
                return
            except OSError:
                # The device went down (ENETDOWN); the socket hears again when it is up.
                return
            at = frame.find(MAGIC)
            probe = 0 <= at <= len(frame) - LENGTH
            if probe:
                stream, sequence = struct.unpack_from("!II", frame, at + len(MAGIC))
                if sequence < LIMIT:
                    tally = pod.tallies.get(stream)
                    if tally is None:
                        tally = pod.tallies[stream] = Tally()
                    tally.add(sequence, time.monotonic())
            if pod.probe_captures + (0 if probe else pod.captures) > 0:
                whole = restore_tag(frame, ancillary)
                say({"frame": whole.hex(), "pod": pod.name, "time": time.time() * 1000, "probe": probe})

    def send_due(self):
        now = time.monotonic()
        for request, sending in list(self.sendings.items()):
            try:
                done = sending.step(now)
            except OSError as error:
                del self.sendings[request]
                say({"id": request, "error": "send: %s" % error.strerror})
                continue
            if done:
                del self.sendings[request]
                say({"id": request, "ok": {"sent": sending.sent, "began": sending.begin * 1000}})

    def answer_quiet(self):
        if not self.waiting:
            return
        now = time.monotonic()
        still = []
        for stream, quiet, since, request in self.waiting:
            tallies = [pod.tallies[stream] for pod in self.pods.values() if stream in pod.tallies]
            latest = max([since] + [tally.last for tally in tallies])
            if now - latest < quiet:
                still.append((stream, quiet, since, request))
            else:
                say({"id": request, "ok": {}})
        self.waiting = still

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
            except (OSError, KeyError) as error:
                say({"id": request["id"], "error": "%s: %s" % (request["do"], error)})
                continue
            if answer is not None:
                say({"id": request["id"], "ok": answer})
        return True

    def do_open(self, request):
        pod = Pod(request["pod"], request["netns"], request["device"])
        self.pods[pod.name] = pod
        self.selector.register(pod.socket, selectors.EVENT_READ, pod)
        return {}

    def do_close(self, request):
        pod = self.pods.pop(request["pod"])
        self.selector.unregister(pod.socket)
        pod.socket.close()
        for sock in pod.groups.values():
            sock.close()
        return {}

    def do_join(self, request):
        pod, group = self.pods[request["pod"]], request["group"]
        pod.groups[group] = inside(pod.netns, lambda: member_socket(pod.device, group))
        return {}

    def do_leave(self, request):
        self.pods[request["pod"]].groups.pop(request["group"]).close()
        return {}

    def do_capture(self, request):
        pod = self.pods[request["pod"]]
        step = 1 if request["on"] else -1
        if request["probes"]:
            pod.probe_captures += step
        else:
            pod.captures += step
        return {}

    def do_send(self, request):
        """Answered when all is sent."""
        frame_at = numbered(self.pods[request["pod"]], bytes.fromhex(request["frame"]))
        self.sendings[request["id"]] = Sending(frame_at, request["count"], request["pps"])

    def do_stop(self, request):
        """Ends a `send` early; both are answered."""
        sending = self.sendings.get(request["request"])
        if sending is not None:
            sending.stopped = True
        return {}

    def do_each(self, request):
        """Many different frames, each from its own pod. Answered when all are sent."""
        frames = [(self.pods[name], bytes.fromhex(frame)) for name, frame in request["frames"]]
        self.sendings[request["id"]] = Sending(frames.__getitem__, len(frames), request["pps"])

    def do_quiet(self, request):
        """Answered when nothing of a stream arrived for a while."""
        self.waiting.append((request["stream"], request["seconds"], time.monotonic(), request["id"]))

    def do_count(self, request):
        """What each pod received of a stream; with `each`, how often it received each sequence number below that."""
        stream, each = request["stream"], request["each"]
        counts = {}
        for pod in self.pods.values():
            tally = pod.tallies.get(stream) or Tally()
            counts[pod.name] = {
                "frames": tally.frames,
                "distinct": tally.distinct,
                "reordered": tally.reordered,
                "longestGap": tally.gap * 1000,
                "overflow": pod.dropped(),
                "times": list(tally.times[:each].ljust(each, b"\0")),
            }
        return counts

    def do_forget(self, request):
        for pod in self.pods.values():
            pod.tallies.pop(request["stream"], None)
        return {}


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # A Ctrl-C reaches the whole process group; the one who started us decides when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        Process().run()
    except BrokenPipeError:
        pass
