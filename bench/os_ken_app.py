"""The least that a controller with os-ken is: it greets switches, and asks for their features."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from os_ken.base import app_manager  # noqa: E402
from os_ken.controller import ofp_handler  # noqa: E402, F401
from os_ken.ofproto import ofproto_v1_3  # noqa: E402


class Least(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]


if __name__ == "__main__":
    app_manager.AppManager.run_apps(["os_ken_app", "os_ken.controller.ofp_handler"])
