"""An HTTP/1.x answer as it comes in, read far enough for a probe: status, headers, and the body as far as it is known
to be complete."""

from __future__ import annotations


class HttpAnswer:
    """Fed with bytes. `complete` is set when no more is needed; a connection that ends completes it as well."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = False
        self.malformed = ""
        self._raw = b""
        self._in_body = False

    def feed(self, data: bytes) -> None:
        if self._in_body:
            self.body += data
        else:
            self._raw += data
            self._head()
        if self._in_body:
            self._measure()

    def _head(self) -> None:
        head, gap, rest = self._raw.partition(b"\r\n\r\n")
        if not gap:
            if self._raw and not b"HTTP/1.".startswith(self._raw[:7]) and not self._raw.startswith(b"HTTP/1."):
                self.malformed = f'malformed HTTP response "{self._raw[:64].decode("latin-1").splitlines()[0]}"'
            return
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            self.malformed = f'malformed HTTP response "{lines[0]}"'
            return
        status = int(words[1])
        if 100 <= status < 200 and status != 101:
            self._raw = rest
            self._head()
            return
        self.status = status
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self._in_body, self.body = True, rest

    def _measure(self) -> None:
        length = self.headers.get("content-length", "")
        if self.status in (204, 304) or (length.isdigit() and len(self.body) >= int(length)):
            self.complete = True
        elif "chunked" in self.headers.get("transfer-encoding", ""):
            self.complete = self.body.endswith(b"0\r\n\r\n")
