"""A learning switch with os-ken, as short as it can be: it puts an entry for each sender that it did not know, and sends the frame on."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from os_ken.base import app_manager  # noqa: E402
from os_ken.controller import ofp_event, ofp_handler  # noqa: E402, F401
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls  # noqa: E402
from os_ken.ofproto import ofproto_v1_3  # noqa: E402


class Learning(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.places = {}

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet_in(self, event):
        message = event.msg
        switch = message.datapath
        parser, protocol = switch.ofproto_parser, switch.ofproto
        port = message.match["in_port"]
        sender = message.data[6:12].hex(":")
        if self.places.get((switch.id, sender)) != port:
            self.places[(switch.id, sender)] = port
            out = parser.OFPInstructionActions(
                protocol.OFPIT_APPLY_ACTIONS, [parser.OFPActionOutput(port)]
            )
            switch.send_msg(
                parser.OFPFlowMod(
                    datapath=switch,
                    priority=1,
                    match=parser.OFPMatch(eth_dst=sender),
                    instructions=[out],
                )
            )
        switch.send_msg(
            parser.OFPPacketOut(
                datapath=switch,
                buffer_id=protocol.OFP_NO_BUFFER,
                in_port=port,
                actions=[parser.OFPActionOutput(protocol.OFPP_FLOOD)],
                data=message.data,
            )
        )


if __name__ == "__main__":
    app_manager.AppManager.run_apps(["os_ken_app", "os_ken.controller.ofp_handler"])
