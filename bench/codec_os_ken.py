"""bench/codec.ts through os-ken: reads lines `CASE CALLS`, does it that often, and answers each with the nanoseconds of processor
time that this process took. The line `hex` is answered with the flow-mod and the packet-in as they are on the wire."""

import sys
import time

from os_ken.ofproto import ofproto_v1_3 as protocol
from os_ken.ofproto import ofproto_v1_3_parser as parser
from os_ken.ofproto import ofproto_parser, ofproto_protocol

MANY = 512
datapath = ofproto_protocol.ProtocolDesc(version=protocol.OFP_VERSION)


def entry(i):
    message = parser.OFPFlowMod(
        datapath,
        cookie=0x6C32736D00000007,
        table_id=2,
        priority=100,
        match=parser.OFPMatch(in_port=3 + i, eth_dst=MACS[i]),
        instructions=[
            parser.OFPInstructionActions(
                protocol.OFPIT_APPLY_ACTIONS, [parser.OFPActionOutput(4 + i, 0)]
            )
        ],
        out_port=protocol.OFPP_ANY,
        out_group=protocol.OFPG_ANY,
    )
    message.set_xid(i)
    return message


def written(message):
    message.buf = None
    message.serialize()
    return bytes(message.buf)


def read(data):
    version, kind, length, xid = ofproto_parser.header(data)
    return ofproto_parser.msg(datapath, version, kind, length, xid, data)


MACS = ["02:00:00:00:%02x:%02x" % ((i + 1) >> 8, (i + 1) & 255) for i in range(MANY)]
READY = entry(0)
FLOW_MOD = written(entry(0))
PACKET_IN = bytes.fromhex(
    "040a006e00000000ffffffff003c010100000000000000050001001880000004000000038000040800000000000000070000"
) + bytes(60)


def encode_flow_mod():
    written(READY)


def decode_flow_mod():
    read(FLOW_MOD)


def decode_packet_in():
    read(PACKET_IN)


def programme():
    b"".join(written(entry(i)) for i in range(MANY))


def take():
    for _ in range(MANY):
        message = read(PACKET_IN)
        message.match["in_port"] + message.data[11]


for line in sys.stdin:
    if line.strip() == "hex":
        print(FLOW_MOD.hex(), PACKET_IN.hex(), flush=True)
    else:
        name, calls = line.split()
        run = globals()[name]
        before = time.process_time_ns()
        for _ in range(int(calls)):
            run()
        print(time.process_time_ns() - before, flush=True)
