"""The report in a real browser: opened message by message, by mouse and by keyboard, in both themes, narrow and wide."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from observed import observed

from tlscope import Trace
from tlscope.explain import Reported, to_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(DRIVER is None, reason="chromedriver (chromium-driver) is not installed"),
]

CASES = {
    "two": ["one-way", "mutual"],
    "old": ["mutual 1.2"],
    "refused": ["no-client-cert"],
    "early": ["early data"],
}


class Browser:
    """A headless Chromium, and what it complained of or asked the network for."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def show(self, page: Path, *, width: int = 1280, height: int = 900, theme: str = "light") -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.driver.get(page.as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        actions = ActionChains(self.driver)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    def complaints(self) -> list[Any]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
            and not event["params"]["request"]["url"].startswith(("file:", "data:", "chrome:", "chrome-"))
        ]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, cases in CASES.items():
        role = "server" if name == "refused" else "client"
        traces: list[Trace] = [observed(case).of(role) for case in cases]
        found[name] = folder / f"{name}.html"
        found[name].write_text(to_html(*(Reported(trace, case) for trace, case in zip(traces, cases, strict=True))))
    return found


AGREE = """
const panels = [], wrong = [];
for (const opener of document.querySelectorAll('.picture g[role=button]')) {
  opener.dispatchEvent(new MouseEvent('click', {bubbles: true}));
  const panel = document.querySelector('.panel.shown');
  if (!panel || opener.getAttribute('aria-controls') !== panel.id) { wrong.push(['closed', opener.id]); continue; }
  panels.push(panel.querySelector('h4').textContent);
  const tree = panel.querySelector('.tree');
  if (!tree) continue;
  const spans = [...panel.querySelectorAll('.hex [data-leaf]')];
  for (const field of tree.querySelectorAll('[data-leaves]')) {
    if (field.getAttribute('aria-selected') !== 'true') field.firstElementChild.click();
    const [start, end] = field.dataset.bytes.split('-').map(Number);
    const lit = spans.filter(one => one.classList.contains('lit')).map(one => one.textContent).join(' ').split(' ');
    if (lit.length !== end - start) wrong.push(['field', field.textContent.slice(0, 60), lit.length, end - start]);
    const note = getComputedStyle(field.querySelector('.note')).display;
    if (note === 'none') wrong.push(['note', field.textContent.slice(0, 60)]);
  }
  for (const span of spans) {
    span.click();
    const selected = tree.querySelectorAll('[aria-selected=true]');
    if (selected.length !== 1 || selected[0].dataset.leaves !== span.dataset.leaf + '-' + span.dataset.leaf ||
        !selected[0].getClientRects().length) wrong.push(['byte', span.dataset.leaf]);
  }
}
return [panels, wrong];
"""


@pytest.mark.parametrize("name", list(CASES))
def test_each_message_opens_and_its_fields_and_bytes_agree(browser: Browser, pages: dict[str, Path], name: str) -> None:
    browser.show(pages[name])
    panels, wrong = browser.run(AGREE)
    assert wrong == []
    assert "ClientHello" in panels
    assert browser.complaints() == []
    assert browser.requests() == []


def test_by_keyboard_alone(browser: Browser, pages: dict[str, Path]) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.show(pages["two"])
    for _ in range(10):
        browser.press(Keys.TAB)
        if browser.run("return document.activeElement.getAttribute('role')") == "button":
            break
    label = "return document.activeElement.querySelector('title')?.textContent"
    assert browser.run(label) == "ClientHello, sent by the client, open"
    browser.press(Keys.ENTER)
    assert browser.run("return document.activeElement.textContent") == "ClientHello"
    assert browser.run("return document.querySelectorAll('.panel.shown').length") == 1
    for _ in range(6):
        browser.press(Keys.TAB)
        if browser.run("return document.activeElement.getAttribute('role')") == "treeitem":
            break
    field = "return document.querySelector('.panel.shown [aria-selected=true] .field').textContent"
    assert browser.run(field) == "msg_type"
    browser.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert browser.run(field) == "legacy_version"
    assert browser.run("return document.querySelector('.panel.shown .lit').textContent") == "03 03"
    browser.press(Keys.ARROW_LEFT)
    assert browser.run(field) == "body"
    browser.press(Keys.ARROW_LEFT)
    assert browser.run("return document.activeElement.getAttribute('aria-expanded')") == "false"
    browser.press(Keys.END)
    assert browser.run(field) == "body"
    browser.press(Keys.ARROW_RIGHT, Keys.END)
    assert browser.run(field) == "key_share"
    browser.press(Keys.ESCAPE)
    assert browser.run("return document.querySelectorAll('.panel.shown').length") == 0
    assert browser.run(label) == "ClientHello, sent by the client, open"
    browser.press(Keys.ARROW_DOWN, Keys.SPACE)
    assert browser.run("return document.activeElement.textContent") == "ServerHello"
    assert browser.complaints() == []


def test_what_a_screen_reader_is_told(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["two"])
    browser.run(
        "document.querySelector('.picture g[role=button]').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    tree = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    told = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node.get("ignored") and "role" in node
    }
    roles = {role for role, _ in told}
    assert ("button", "ClientHello, sent by the client, open") in told
    assert ("tree", "the fields of ClientHello") in told
    assert "treeitem" in roles
    assert ("region", "ClientHello") in told
    assert ("button", "Close") in told
    assert {"main", "navigation", "heading", "table"} <= roles
    nameless = [
        node
        for node in tree
        if node.get("role", {}).get("value") == "button" and not node.get("ignored") and not node["name"]["value"]
    ]
    assert nameless == []


CONTRAST = """
const seen = value => value.match(/[\\d.]+/g).map(Number);
const bright = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = one => { for (; one; one = one.parentElement) { const c = seen(getComputedStyle(one).backgroundColor);
  if (c.length === 3 || c[3] > 0.99) return c; } return [255, 255, 255]; };
const poor = [];
const texts = 'h1,h2,h3,h5,h6,p,dt,dd,td,th,a,code,.chip,.use,.how,.field,.value,.place,.note,.hex,.said,.why';
for (const one of document.querySelectorAll(texts)) {
  if (!one.getClientRects().length || !one.textContent.trim()) continue;
  const a = bright(seen(getComputedStyle(one).color)), b = bright(ground(one));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) poor.push([one.tagName, one.className, one.textContent.slice(0, 30), ratio]);
}
return poor.slice(0, 8);
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390, 1800])
def test_it_fits_and_can_be_read_in_both_themes(
    browser: Browser, pages: dict[str, Path], tmp_path: Path, theme: str, width: int
) -> None:
    for name in ("two", "refused", "old"):
        browser.show(pages[name], width=width, theme=theme)
        narrow = width < 760
        opener = ".ladder button" if narrow else ".picture g[role=button]"
        browser.run(f"document.querySelector('{opener}').dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
        shown = browser.run(
            "return [...document.querySelectorAll('.picture, .ladder')].map(e => getComputedStyle(e).display)"
        )
        assert shown[:2] == (["none", "block"] if narrow else ["block", "none"])
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        assert browser.run(CONTRAST) == []
        ground = browser.run("return getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(246, 248, 250)") == (theme == "light")
        picture = tmp_path / f"{name}-{theme}-{width}.png"
        assert browser.driver.save_screenshot(str(picture))
        assert picture.stat().st_size > 10_000
    assert browser.complaints() == []
    assert browser.requests() == []


def test_without_scripts_everything_is_there(browser: Browser, pages: dict[str, Path]) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.show(pages["old"])
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    hidden = "return [...document.querySelectorAll('.panel, .tree li')].filter(e => !e.getClientRects().length).length"
    assert browser.run("return document.documentElement.classList.contains('js')") is False
    assert browser.run(hidden) == 0


def test_a_link_opens_one_message(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["old"])
    ident = browser.run("return document.querySelectorAll('.panel')[2].id")
    browser.driver.get("about:blank")
    browser.driver.get(f"{pages['old'].as_uri()}#{ident}")
    assert browser.run("return document.querySelector('.panel.shown').id") == ident
