#!/usr/bin/env python3
"""An FTP server for OTP's client: prints its port, and ends when its input does.

ftp_server.py FOLDER; the user is `user` with the password `secret`.
"""

import os
import sys
import threading

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.log import config_logging
from pyftpdlib.servers import FTPServer


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


config_logging(level="ERROR")
threading.Thread(target=end_with_input, daemon=True).start()
authorizer = DummyAuthorizer()
authorizer.add_user("user", "secret", sys.argv[1], perm="elradfmwMT")
FTPHandler.authorizer = authorizer
server = FTPServer(("127.0.0.1", 0), FTPHandler)
print(server.socket.getsockname()[1], flush=True)
server.serve_forever()
