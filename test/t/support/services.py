"""
The page's server, and asking it without a browser.
"""

import http.client
import json
import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlencode

from database import READER

SERVER = "examples/support/server.js"


class Support:
    """The page's server."""

    def __init__(self, work, user=READER):
        with open(Path(work) / "server.log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(["node", SERVER], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log, text=True,
                                            env={**os.environ, "PGUSER": user, "PORT": "0"})
        self.address = self.process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", self.address), f"the server did not start: {self.address}"
        self.port = int(self.address.split(":")[2].strip("/"))

    def of(self, **parameters):
        return self.address + "?" + urlencode(parameters)

    def request(self, path, method="GET", host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()

    def answer(self, **parameters):
        status, _, body = self.request("/answer?" + urlencode(parameters))
        assert status == 200, body
        return json.loads(body)

    def stop(self):
        self.process.terminate()
        return self.process.wait(15)
