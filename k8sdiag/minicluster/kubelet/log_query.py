"""The kubelet's log query, `/logs/?query=UNIT` with its options (pkg/kubelet/kubelet_server_journal.go), which it
answers with journalctl's output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice

from k8sdiag.clock import parse_time
from k8sdiag.minicluster.kubelet.journal import Journal, short_precise
from k8sdiag.minicluster.nodes.agent import Page

_FOLDER = '<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n{}</pre>\n'
_FILES = ("containers/", "journal/", "pods/")
_SERVICE = re.compile(r"[A-Za-z0-9@_.:\-]{1,256}")
_NO_OUTPUT = "\nerror: journal output not available\n"


def log_page(journal: Journal, query: Mapping[str, str]) -> Page:
    """What is answered; without a query it is the folder /var/log."""
    if not query.get("query"):
        links = "".join(f'<a href="{name}">{name}</a>\n' for name in _FILES)
        return Page(200, _FOLDER.format(links).encode(), "text/html; charset=utf-8")
    wrong = _wrong(query)
    if wrong:
        return Page(400, f"{wrong}\n".encode())
    since, until = parse_time(query.get("sinceTime")), parse_time(query.get("untilTime"))
    unit = query["query"].removesuffix(".service")
    found = [
        one
        for one in journal.entries(unit)
        if (since is None or one.at >= since // 1) and (until is None or one.at <= until // 1)
    ]
    if query.get("pattern"):
        try:
            # journalctl --grep: letter case counts only where the pattern has capitals
            flags = re.IGNORECASE if query["pattern"].islower() else 0
            pattern = re.compile(query["pattern"], flags)
        except re.error:
            return Page(200, _NO_OUTPUT.encode())
        found = [one for one in found if pattern.search(one.message)]
    if int(query.get("boot") or 0) < 0:  # there was none before this one
        return Page(200, _NO_OUTPUT.encode())
    tail = query.get("tailLines")
    if tail:
        found = list(islice(found, max(0, len(found) - int(tail)), None))
    return Page(200, short_precise(found).encode())


def _wrong(query: Mapping[str, str]) -> str:
    """What is wrong with the options (nodeLogQuery.validate), if anything."""
    if not _SERVICE.fullmatch(query["query"]):
        return f'query: Invalid value: "{query["query"]}": unable to parse'
    for name in ("sinceTime", "untilTime"):
        if query.get(name) and parse_time(query[name]) is None:
            return f'{name}: Invalid value: "{query[name]}": must be a RFC3339 time'
    since, until = parse_time(query.get("sinceTime")), parse_time(query.get("untilTime"))
    if since is not None and until is not None and since > until:
        return f'untilTime: Invalid value: "{query["untilTime"]}": must be after `sinceTime`'
    for name, right in (("tailLines", r"\d{1,9}"), ("boot", r"0|-\d{1,9}")):
        if query.get(name) and not re.fullmatch(right, query[name]):
            side = "greater" if name == "tailLines" else "less"
            return f"{name}: Invalid value: {query[name]}: must be {side} than or equal to 0"
    return ""
