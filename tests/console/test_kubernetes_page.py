"""The Kubernetes page in a real browser: a cluster of 20 nodes and 1,000 pods, and, in the soak, 500 and 10,000."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.console.axe import violations
from tests.console.conftest import OpenPage
from tests.real_gateway import RealGateway, running_gateway
from tests.standins.kubernetes.api import KubernetesApi
from tests.standins.kubernetes.faults import Fault
from tests.standins.kubernetes.population import Population

COLUMNS = ("Name", "Namespace", "Status", "Ready", "Restarts", "Node", "Pod IP", "Owner", "Age")


@contextmanager
def watched(directory: Path, nodes: int, pods: int) -> Iterator[RealGateway]:
    """A gateway for a cluster of that size."""
    config = directory / "kubeconfig"
    api = KubernetesApi(Population(nodes, pods))
    try:
        api.kubeconfig(config)
        with running_gateway(directory / "web", "--kubeconfig", str(config), runtime_dir=directory / "none") as gateway:
            yield gateway
    finally:
        api.stop()


@pytest.fixture(scope="module")
def kubernetes(built: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """A gateway for 20 nodes and 1,000 pods."""
    with watched(tmp_path_factory.mktemp("k8s"), 20, 1_000) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def large(built: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """A gateway for 500 nodes and 10,000 pods."""
    with watched(tmp_path_factory.mktemp("k8s"), 500, 10_000) as gateway:
        yield gateway


def pods_of(page: Page) -> Locator:
    return page.get_by_role("table", name="Pods of the cluster")


def settled(page: Page, total: str) -> None:
    """The table shows what was asked for last."""
    expect(page.get_by_role("navigation", name="Pages of pods")).to_contain_text(f"of {total} pod")
    expect(pods_of(page)).to_have_attribute("aria-busy", "false")


@pytest.mark.criterion("US-10", "nodes ready of all, pods running, pending and failed, CPU and memory")
@pytest.mark.criterion("US-11", "status, roles and usage of each node; filter by status; a click shows details")
@pytest.mark.criterion("US-12", "filters, search, sort and pages with true totals; a pod's drawer")
def test_nodes_and_pods_are_filtered_searched_and_opened(kubernetes: RealGateway, page: Page) -> None:
    page.goto(kubernetes.url + "/kubernetes")
    settled(page, "1,000")
    overview = page.get_by_role("region", name="Cluster")
    expect(overview).to_contain_text("18 of 20")
    expect(overview).to_contain_text("of 1,000")
    expect(pods_of(page).locator("tbody tr")).to_have_count(50)
    assert violations(page) == []

    page.get_by_role("button", name="NotReady 1").click()
    nodes = page.get_by_role("table", name="Nodes of the cluster").locator("tbody tr")
    expect(nodes).to_have_count(1)
    nodes.get_by_role("link", name="node-0007").click()
    expect(page.get_by_role("dialog", name="node-0007")).to_contain_text("KubeletNotReady")
    page.keyboard.press("Escape")

    filters = page.get_by_role("search", name="Pods")
    filters.get_by_label("Namespace").select_option("payments")
    filters.get_by_role("searchbox").fill("LEDGER")
    page.wait_for_url("**search=LEDGER**")
    expect(pods_of(page)).to_have_attribute("aria-busy", "false")
    expect(pods_of(page).locator("tbody th").first).to_contain_text("ledger-")
    by_age = pods_of(page).get_by_role("columnheader", name="Age")
    by_age.get_by_role("button").click()
    page.wait_for_url("**sort=age**")
    expect(by_age).to_have_attribute("aria-sort", "ascending")

    # The address alone shows the same again.
    page.reload()
    expect(filters.get_by_label("Namespace")).to_have_value("payments")
    expect(filters.get_by_role("searchbox")).to_have_value("LEDGER")
    pods_of(page).locator("tbody a").first.click()
    page.wait_for_url("**/kubernetes/pods/payments/ledger-**")
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_role("region", name="Log of")).not_to_be_empty()
    assert violations(page) == []


@pytest.mark.criterion("US-13", "Kubernetes down: 503, shown with a retry; nothing is made up")
@pytest.mark.criterion("defect-11", "an error of the gateway is shown, and nothing is made up in its place")
@pytest.mark.soak
def test_a_cluster_that_is_down_is_an_error_with_a_retry_in_every_panel(
    built: object, tmp_path_factory: pytest.TempPathFactory, page: Page
) -> None:
    directory = tmp_path_factory.mktemp("down")
    api = KubernetesApi(Population(3, 30))
    try:
        api.fault = Fault("error")
        api.kubeconfig(directory / "kubeconfig")
        options = ("--kubeconfig", str(directory / "kubeconfig"))
        with running_gateway(directory / "web", *options, runtime_dir=directory / "none") as gateway:
            page.goto(gateway.url + "/kubernetes")
            expect(page.get_by_test_id("error")).to_have_count(3)
            expect(page.get_by_role("table")).to_have_count(0)
            expect(page.get_by_test_id("mock")).to_have_count(0)
            api.fault = Fault()
            for panel in ("Pods", "Nodes", "Cluster"):
                page.get_by_role("region", name=panel, exact=True).get_by_role("button", name="Try again").click()
            expect(page.get_by_test_id("error")).to_have_count(0)
            settled(page, "30")
    finally:
        api.stop()


@pytest.mark.soak
@pytest.mark.criterion("US-12", "every column sorts, both ways")
def test_every_column_of_the_pods_sorts_both_ways(large: RealGateway, page: Page) -> None:
    page.goto(large.url + "/kubernetes")
    settled(page, "10,000")
    for name in reversed(COLUMNS):
        header = pods_of(page).get_by_role("columnheader", name=name, exact=False).first
        for way in ("ascending", "descending"):
            header.get_by_role("button").click()
            expect(header).to_have_attribute("aria-sort", way)
            settled(page, "10,000")


@pytest.mark.soak
@pytest.mark.criterion("US-12", "10,000 pods filter, sort and page, and the table holds a page of them")
def test_ten_thousand_pods_are_sorted_filtered_and_paged_without_a_long_task(large: RealGateway, page: Page) -> None:
    page.goto(large.url + "/kubernetes?size=100")
    settled(page, "10,000")
    pages = page.get_by_role("navigation", name="Pages of pods")
    for label in ("Next page", "Last page", "First page"):
        pages.get_by_role("button", name=label).click()
        settled(page, "10,000")
    pods_of(page).get_by_role("columnheader", name="Restarts").get_by_role("button").click()
    settled(page, "10,000")
    filters = page.get_by_role("search", name="Pods")
    filters.get_by_role("searchbox").press_sequentially("worker", delay=40)
    page.wait_for_url("**search=worker**")
    filters.get_by_label("Status").select_option("Running")
    page.wait_for_url("**status=Running**")
    expect(pods_of(page)).to_have_attribute("aria-busy", "false")
    expect(pods_of(page).locator("tbody tr")).to_have_count(100)


@pytest.mark.soak
@pytest.mark.criterion("US-13", "a mock mode for development, which says so in plain sight")
def test_a_mocked_cluster_says_so_in_plain_sight(
    built: object, tmp_path_factory: pytest.TempPathFactory, page: Page
) -> None:
    directory = tmp_path_factory.mktemp("mock")
    with running_gateway(directory, "--mock-k8s", runtime_dir=directory / "none") as gateway:
        page.goto(gateway.url + "/kubernetes")
        expect(page.get_by_test_id("mock")).to_contain_text("Mock data")
        expect(pods_of(page).locator("tbody tr").first).to_be_visible()


@pytest.mark.soak
@pytest.mark.parametrize("width", [360, 1280, 2560])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_and_its_drawers_fit_and_are_accessible(
    kubernetes: RealGateway, open_page: OpenPage, width: int, scheme: str
) -> None:
    page = open_page(width=width, height=900, color_scheme=scheme, reduced_motion="reduce")
    page.goto(kubernetes.url + "/kubernetes?status=Failed")
    pod = pods_of(page).locator("tbody a").first
    expect(pod).to_be_visible()
    assert violations(page) == []
    address = pod.get_attribute("href") or ""
    for tab in ("info", "containers", "events", "logs"):
        page.goto(f"{kubernetes.url}{address.partition('?')[0]}?tab={tab}")
        expect(page.get_by_role("tabpanel")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert violations(page) == []
    page.goto(kubernetes.url + "/kubernetes/nodes/node-0007")
    expect(page.get_by_role("dialog")).to_contain_text("Conditions")
    assert violations(page) == []
