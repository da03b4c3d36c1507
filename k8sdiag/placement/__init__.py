"""Why the scheduler places a pod nowhere: its message in parts, each node checked against the pod, and the smallest
change that would place it.

`message` reads what the scheduler said, `requests` does its arithmetic, `taints`, `labels`, `neighbours` and `volumes`
are its filters, and `nodes` puts them together.
"""

from k8sdiag.placement.labels import near_labels, selector_text, unmet_labels
from k8sdiag.placement.message import REASONS, Reason, Refusal, classify, parse_message
from k8sdiag.placement.neighbours import required_pod_terms, spread_words, term_words
from k8sdiag.placement.nodes import Nodes, Obstacle, Verdict, host_ports, verdict_of
from k8sdiag.placement.requests import container_requests, pod_requests, request_parts
from k8sdiag.placement.taints import near_tolerations, taint_text, tolerates, untolerated
from k8sdiag.placement.volumes import affinity_words, bound_volumes, exclusive_holders

__all__ = [
    "REASONS",
    "Nodes",
    "Obstacle",
    "Reason",
    "Refusal",
    "Verdict",
    "affinity_words",
    "bound_volumes",
    "classify",
    "container_requests",
    "exclusive_holders",
    "host_ports",
    "near_labels",
    "near_tolerations",
    "parse_message",
    "pod_requests",
    "request_parts",
    "required_pod_terms",
    "selector_text",
    "spread_words",
    "taint_text",
    "term_words",
    "tolerates",
    "unmet_labels",
    "untolerated",
    "verdict_of",
]
