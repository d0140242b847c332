"""Open pages of the built site in a headless Chromium, measure them, and photograph them.

Run ``python docs/check_site.py`` after the build. It reads ``docs/_build``, has no network, opens
each page at 390, 1440 and 1920 pixels, and ends with exit code 1 if on one of them

- the page, a paragraph, a block of code, a table, a formula or a picture runs out of its column
  and has no scroll box of its own,
- a block of code or a formula has to be scrolled on a screen of 1440 pixels or more,
- a formula was not set, or set with an error,
- a picture is missing, has no alternative text, or only the name of its file,
- the page asks the network for anything, or its JavaScript fails.

``--photographs FOLDER`` keeps a picture of each view, ``--all`` measures every page. Without
Chromium it says so and ends with 0, unless ``--require`` is given.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
WIDTHS = (390, 1440, 1920)
PAGES = (
    "index",
    "guide/index",
    "guide/choose",
    "guide/shop",
    "guide/evaluate",
    "methods/index",
    "methods/autoencoders",
    "api/index",
    "api/generated/skrec.linear_model.EASE",
    "auto_examples/index",
    "auto_examples/tasks/plot_first_recommender",
    "benchmarks/README",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
_TALLEST = 12_000  # pixels of a photograph

MEASURE = """
(async () => {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].map(image => image.decode().catch(() => null)));
  const found = [], root = document.documentElement, wide = root.clientWidth >= 1440;
  const article = document.querySelector("article.bd-article") || document.body;
  const right = article.getBoundingClientRect().right + 1;
  const name = each => {
    const text = (each.alt || each.textContent || each.src || "").trim().replace(/\\s+/g, " ");
    return each.tagName.toLowerCase() + " '" + text.slice(0, 70) + "'";
  };
  const scrolls = each => ["auto", "scroll"].includes(getComputedStyle(each).overflowX);
  const box = each => {
    let outermost = each;
    for (let at = each; at && at !== article; at = at.parentElement)
      if (scrolls(at)) outermost = at;
    return outermost;
  };
  if (root.scrollWidth > root.clientWidth)
    found.push(`the page is ${root.scrollWidth} wide`);
  for (const each of article.querySelectorAll("pre, table, mjx-container, img, p, dt, dd")) {
    if (!each.getClientRects().length) continue;
    if (box(each).getBoundingClientRect().right > right)
      found.push(name(each) + " runs out of its column");
  }
  const lines = article.querySelectorAll("div.highlight pre, div.math");
  for (const each of lines)
    if (wide && each.scrollWidth > each.clientWidth + 1)
      found.push(`${name(each)} has to be scrolled: ${each.scrollWidth} > ${each.clientWidth}`);
  for (const each of document.querySelectorAll(".math.notranslate")) {
    if (!each.querySelector("mjx-container")) found.push(name(each) + " is not set");
    if (each.querySelector("[data-mjx-error]")) found.push(name(each) + " has an error");
  }
  for (const each of document.images) {
    if (!each.naturalWidth) found.push(`picture ${each.src} is missing`);
    const alt = each.getAttribute("alt"), file = each.src.split("/").pop();
    if (alt === null || (!alt.trim() && each.getAttribute("role") !== "presentation"))
      found.push(`picture ${file} has no alternative text`);
    else if (/\\.(png|svg|jpe?g)$/.test(alt) || /^plot[ _]/.test(alt))
      found.push(`the alternative text of ${file} is the name of a file`);
  }
  return JSON.stringify({found, height: Math.ceil(root.scrollHeight)});
})()
"""


class Browser:
    """Chromium over the pipe of its DevTools protocol: JSON that ends with a zero byte."""

    def __init__(self, program, profile):
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # The protocol has its fixed places: 3 is read, 4 is written.
        shuffle = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        command = ["bash", "-c", shuffle, "bash", program, *OPTIONS, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            [*command, "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._number, self._session = b"", 0, None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def _message(self):
        while b"\0" not in self._buffer:
            part = os.read(self._read, 1 << 16)
            if not part:
                raise RuntimeError("the browser has ended")
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        """Call a method, and return its result; what happens meanwhile is in `events`."""
        self._number += 1
        request = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            request["sessionId"] = self._session
        os.write(self._write, json.dumps(request).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def open(self, url):
        """Load a page, and wait until it is there."""
        self.events = []
        self.call("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._message())

    def close(self):
        self._session = None
        self.call("Browser.close")
        self._process.wait(20)


def problems_of_events(events):
    """The page's requests to the network, and the errors of its scripts."""
    found = []
    for event in events:
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if url.startswith(("http:", "https:")):
                found.append(f"asks the network for {url}")
        if event.get("method") == "Runtime.exceptionThrown":
            found.append(f"a script fails: {parameters['exceptionDetails'].get('text')}")
    return found


def measure(browser, url, width, photograph=None):
    """The problems of a page at a width; with a path, its photograph too."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.call("Emulation.setDeviceMetricsOverride", **size)
    browser.open(url)
    answer = browser.call(
        "Runtime.evaluate", expression=MEASURE, awaitPromise=True, returnByValue=True
    )
    if "exceptionDetails" in answer:
        raise RuntimeError(f"{url}: {answer['exceptionDetails']}")
    result = json.loads(answer["result"]["value"])
    if photograph is not None:
        clip = {"x": 0, "y": 0, "width": width, "height": min(result["height"], _TALLEST)}
        shot = browser.call(
            "Page.captureScreenshot", clip={**clip, "scale": 1}, captureBeyondViewport=True
        )
        photograph.write_bytes(base64.b64decode(shot["data"]))
    return result["found"] + problems_of_events(browser.events)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--site", type=Path, default=HERE / "_build", help="the built site")
    parser.add_argument("--photographs", type=Path, metavar="FOLDER", help="photograph the pages")
    parser.add_argument("--all", action="store_true", help="measure every page")
    parser.add_argument("--require", action="store_true", help="fail where there is no browser")
    options = parser.parse_args(arguments)
    program = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if program is None:
        print("check_site: no Chromium here; nothing is measured")
        return int(options.require)
    site, n_problems, n_measured = options.site.resolve(), 0, 0
    pages = [site / f"{page}.html" for page in PAGES]
    missing = [str(page) for page in pages if not page.is_file()]
    if missing:
        print(f"check_site: not in {site}: {', '.join(missing)}. Build the site first.")
        return 1
    others = sorted(set(site.rglob("*.html")) - set(pages)) if options.all else []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(program, f"{folder}/profile")
        if options.photographs is not None:
            options.photographs.mkdir(parents=True, exist_ok=True)
        for page in [*pages, *others]:
            name = str(page.relative_to(site).with_suffix(""))
            for width in WIDTHS:
                photograph = None
                if options.photographs is not None and page in pages:
                    photograph = options.photographs / f"{name.replace('/', '-')}_{width}.png"
                for problem in measure(browser, page.as_uri(), width, photograph):
                    print(f"{name} at {width}: {problem}")
                    n_problems += 1
                n_measured += 1
        browser.close()
    n_pages = len(pages) + len(others)
    print(f"check_site: {n_measured} views of {n_pages} pages: {n_problems} problems")
    return int(n_problems > 0)


if __name__ == "__main__":
    sys.exit(main())
