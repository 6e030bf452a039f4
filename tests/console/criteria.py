"""The acceptance criteria of the web console, clause by clause, and by which words a test says that it proves one.

A test names its story with ``@pytest.mark.criterion("US-03", "what it proves")``, or with ``[US-03]`` in the name of a
test of the pages. A clause is proven by the tests of its story of which the words match its pattern.
"""

import re
from typing import NamedTuple

from tests.console.proofs import Proof


class Clause(NamedTuple):
    """One thing that has to hold."""

    text: str
    words: str
    """Regular expression, searched in what a proof says, in upper or lower case."""


class Story(NamedTuple):
    """One user story, or one defect of an earlier implementation that must not come back."""

    id: str
    title: str
    clauses: tuple[Clause, ...]


def _defect(number: int, title: str) -> Story:
    return Story(f"defect-{number}", title, (Clause(title, ""),))


STORIES = (
    Story(
        "US-01",
        "Topology of the services",
        (
            Clause("the five services are nodes of one map", "five services"),
            Clause("edges are drawn by type", "edges by type|drawn by its kind"),
            Clause("nodes are green, yellow or red by their status", "green, yellow, red|status in words|statuses"),
            Clause("a click shows the details of a service", "click|opens its details"),
            Clause("refreshed every 30 s", "30 seconds"),
        ),
    ),
    Story(
        "US-02",
        "Service cards",
        (
            Clause("one card for each service, with its status", "one card for each|a card for each|card says status"),
            Clause("sparklines of CPU and memory over 15 minutes", "fifteen minutes|both charts|a line that"),
            Clause("requests per second and median latency of HTTP services", "p50|median"),
            Clause("number of pods, with a warning at none", "no pods|without pods"),
            Clause("the last restart if it is younger than 24 hours", "restart"),
            Clause("a CPU spike turns the border yellow", "border yellow"),
            Clause("refreshed every 30 s", "30 seconds"),
        ),
    ),
    Story(
        "US-03",
        "Sparklines",
        (
            Clause("15 points, one a minute", "fifteen points|15 points"),
            Clause("a smooth line, of about 80 by 30", "80 by 30|fill the width|smooth"),
            Clause("the colour is that of the current value", "colour|current figure"),
            Clause("the pointer is told time and value", "pointer"),
            Clause("missing points are gaps", "gap"),
        ),
    ),
    Story(
        "US-04",
        "API of the services",
        (
            Clause("all five services with every field of the contract", "fields of the contract"),
            Clause("source down: cached data up to 5 minutes old, marked stale", "5 min|five minutes|marked stale"),
            Clause("nothing kept: 503 with a message", "503|is an error"),
            Clause("a missing metric is null", "null|not known"),
            Clause("100 requests at once, within time", "100 concurrent|in time"),
        ),
    ),
    Story(
        "US-05",
        "DevOps activity panel",
        (
            Clause("the current operation with its steps", "current operation|under way"),
            Clause("the last operations with duration and status", "last o"),
            Clause("refreshed every 10 s, and by hand", "ten seconds"),
            Clause("says when there was nothing in 24 hours", "24 hours"),
        ),
    ),
    Story(
        "US-06",
        "Steps",
        (
            Clause("check, spinner, circle and cross, in the order of the steps", "check"),
            Clause("a step that failed shows its error", "error"),
            Clause("changes are animated, unless that is not wanted", "animat"),
        ),
    ),
    Story(
        "US-07",
        "Banner",
        (
            Clause("names operation and current step, on every page", "current step|blue"),
            Clause("can be dismissed without losing anything", "dismiss"),
            Clause("blue, green and red", "blue|green|red"),
            Clause("goes by itself 10 s after a success", "ten seconds"),
            Clause("a failure stays until it is dismissed", "until"),
            Clause("a click opens the panel", "click|the banner points to"),
        ),
    ),
    Story(
        "US-08",
        "API of the activity",
        (
            Clause("made of the DEVOPS_* messages", "STARTED"),
            Clause("the last 10 by default, of the last 24 hours", "24 hours|10 by default"),
            Clause("nothing to tell: an empty answer, `current` null", "null"),
            Clause("coordination down: 503", "503|is down"),
            Clause("survives a restart of the daemon", "survive"),
        ),
    ),
    Story(
        "US-09",
        "Publishing",
        (
            Clause("STARTED with the list of steps", "STARTED"),
            Clause("STEP_UPDATE for each change", "STEP_UPDATE"),
            Clause("COMPLETE or FAILED", "FAILED"),
            Clause("each with its time, kept for 24 hours", "24 hours|its time"),
            Clause("from several shells, seen in an open page", "three shells|goes on|has changed"),
        ),
    ),
    Story(
        "US-10",
        "Cluster overview",
        (
            Clause("nodes ready, pods running, pending and failed", "nodes ready"),
            Clause("CPU and memory, measured", "CPU and memory"),
            Clause("skeleton, and an error with a retry", "retry"),
            Clause("refreshed every 30 s, without a reload", "30 seconds"),
        ),
    ),
    Story(
        "US-11",
        "Nodes",
        (
            Clause("name, status and roles", "roles"),
            Clause("use of CPU, memory, disk and pods", "disk"),
            Clause("filter by status", "filter"),
            Clause("a click shows the details", "details|detail"),
            Clause("refreshed every 30 s", "30 seconds"),
        ),
    ),
    Story(
        "US-12",
        "Pods",
        (
            Clause("real names, namespaces, status, nodes and restarts", "name, namespace|names, namespaces"),
            Clause("filters by namespace, status and node", "filters"),
            Clause("search by a part of the name", "search"),
            Clause("every column sorts", "every column|sort and page"),
            Clause("pages with true totals", "true total"),
            Clause("refreshed every 30 s", "30 seconds"),
            Clause(
                "10,000 pods, of which the page holds one page; its longest task is measured by `console-page`",
                "10,000",
            ),
            Clause("a drawer with containers, events and logs", "containers, events"),
        ),
    ),
    Story(
        "US-13",
        "API of the cluster",
        (
            Clause("namespace, status, nodeName, search, limit and offset", "nodeName|offset"),
            Clause("answers younger than 10 s come from the cache", "10 s"),
            Clause("Kubernetes down: 503", "503|is down"),
            Clause("a mock mode for development, which says so", "mock"),
        ),
    ),
    _defect(1, "publisher: prose instead of JSON, and every message dropped"),
    _defect(2, "publisher: later calls cannot find the operation"),
    _defect(3, "the error of a step is never applied"),
    _defect(4, "a failed source yields random or empty data"),
    _defect(5, "CPU and memory of the cluster made of the number of pods"),
    _defect(6, "no restart times; memory of an assumed limit"),
    _defect(7, "kept for 30 days instead of 24 hours"),
    _defect(8, "the banner hides failures"),
    _defect(9, "colour of the average; thresholds that disagree"),
    _defect(10, "a topology that is fixed, and for the mouse only"),
    _defect(11, "mock data in place of an error"),
    _defect(12, "DevOps messages looked for among the last 100 of all types"),
)


def proven_by(story: Story, clause: Clause, known: list[Proof]) -> list[Proof]:
    """The tests that prove that clause."""
    return [one for one in known if one.story == story.id and re.search(clause.words, one.text, re.IGNORECASE)]
