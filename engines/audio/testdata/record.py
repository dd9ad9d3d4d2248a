"""Record speech.wav with a browser's MediaRecorder into browser-*.webm.

Usage: record.py FOLDER, which holds speech.wav; chromium must be installed.
"""

import http.server
import pathlib
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).parent
FOLDER = pathlib.Path(sys.argv[1])
done = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serve the page and the speech, and receive the recordings."""

    def do_GET(self) -> None:
        source = HERE / "record.html" if self.path == "/" else FOLDER / "speech.wav"
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if self.path == "/" else "audio/wav")
        self.end_headers()
        self.wfile.write(source.read_bytes())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        name = pathlib.Path(self.path).name
        if name == "done":
            done.set()
        elif name == "error":
            print(body.decode(), file=sys.stderr)
        else:
            (FOLDER / name).write_bytes(body)
        self.send_response(204)
        self.end_headers()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory() as profile:
    browser = subprocess.Popen([
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
        "--autoplay-policy=no-user-gesture-required", f"http://127.0.0.1:{server.server_port}/",
    ], stderr=subprocess.DEVNULL)
    finished = done.wait(timeout=60)
    browser.terminate()
    browser.wait()
sys.exit(0 if finished else "the browser did not finish")
