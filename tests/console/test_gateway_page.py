"""The gateway and a real browser: what is served, and what its headers let it do."""

from playwright.sync_api import ConsoleMessage, Page, expect
from tests.real_gateway import RealGateway


def test_the_application_runs_under_the_content_policy_and_hides_its_token(gateway: RealGateway, page: Page) -> None:
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", heard)
    page.goto(gateway.address)
    expect(page.locator("#root > *").first).to_be_visible()
    page.wait_for_url("**/demo")
    assert "token" not in page.url
    assert not complaints
