"""One headless Chromium for the tests, driven through its DevTools protocol over a pipe: keys, clicks and screenshots are real.

Our own eighty lines and no Playwright: that brings a browser of its own (300 MB) and a Node.js server.
"""

import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update"
)
FLAGS += " --disable-sync --hide-scrollbars --remote-debugging-pipe"
#: Key -> its Windows code and the text that it types.
KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
}


class Chromium:
    """One tab, 1366 x 900. `events` holds what the browser has told since the last `open`."""

    def __init__(self):
        self.home = tempfile.mkdtemp()
        there, self.to = os.pipe()
        self.back, here = os.pipe()
        # The protocol's pipes are the descriptors 3 and 4 of the browser.
        pipes = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (there, here)]
        as_3_and_4 = (
            f"import os, sys; os.dup2({pipes[0]}, 3); os.dup2({pipes[1]}, 4); os.execvp(sys.argv[1], sys.argv[1:])"
        )
        command = [sys.executable, "-c", as_3_and_4, PROGRAM, *FLAGS.split(), f"--user-data-dir={self.home}"]
        self.process = subprocess.Popen(command, pass_fds=pipes, stderr=subprocess.DEVNULL)
        for fd in (there, here, *pipes):
            os.close(fd)
        self.buffer, self.count, self.session, self.events = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.window(1366, 900)
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=self.home)
        self.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        os.close(self.to), os.close(self.back)
        shutil.rmtree(self.home, ignore_errors=True)

    def call(self, method, **parameters):
        """Sends a command and returns its result."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        browser = self.session is None or method.startswith("Browser.")
        os.write(self.to, json.dumps(message if browser else message | {"sessionId": self.session}).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.count:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.events.append(answer)

    def _next(self):
        while b"\0" not in self.buffer:
            told, *_ = select.select([self.back], [], [], 60)
            read = os.read(self.back, 1 << 20) if told else b""
            assert read, "Chromium has ended or hangs"
            self.buffer += read
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def window(self, width, height):
        """The size of the window in pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, html):
        """Shows a page from a file and waits until its script has set `data-ready`."""
        file = pathlib.Path(self.home) / "page.html"
        file.write_text(html, encoding="utf-8")
        self.events = []
        self.call("Page.navigate", url=file.as_uri())
        self.until("document.body && document.body.dataset.ready && location.protocol === 'file:'")

    def until(self, condition, seconds=60):
        """Waits for an expression to be true."""
        end = time.monotonic() + seconds
        while not self.run(f"return !!({condition})"):
            assert time.monotonic() < end, (condition, self.complaints())
            time.sleep(0.05)

    def run(self, code):
        """The value that the body of an async function returns, after the page has drawn it."""
        drawn = "await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));"
        expression = f"(async () => {{ const $ = (id) => document.getElementById(id); {drawn} {code} }})()"
        done = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def press(self, *keys):
        """Keys of the keyboard, to whatever has the focus."""
        for key in keys:
            code, text = KEYS[key]
            more = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **more)
            self.call("Input.dispatchKeyEvent", type="keyUp", **more)

    def click(self, place):
        """A click of the mouse on a selector, or at a point (x, y) of the window."""
        if isinstance(place, str):
            box = f"const e = document.querySelector({json.dumps(place)}); e.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            place = self.run(
                f"{box} const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]"
            )
        at = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **at)

    def screenshot(self, **options):
        """PNG of the window, or with `clip` of a part of the page."""
        return base64.b64decode(
            self.call("Page.captureScreenshot", captureBeyondViewport="clip" in options, **options)["data"]
        )

    def pdf(self):
        """The page as it prints."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def download(self, name, seconds=20):
        """Text of a file that the page has just offered."""
        file, end = pathlib.Path(self.home) / name, time.monotonic() + seconds
        while not file.exists():
            assert time.monotonic() < end, name
            self.run("")
        return file.read_text(encoding="utf-8")

    def complaints(self):
        """Errors and warnings on the console, exceptions, and requests that leave the page."""
        self.run("")
        out = []
        for event in self.events:
            method, p = event.get("method"), event.get("params", {})
            if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                out.append(p)
            elif method == "Network.requestWillBeSent" and not p["request"]["url"].startswith(
                ("file:", "data:", "blob:")
            ):
                out.append(p["request"]["url"])
        return out
