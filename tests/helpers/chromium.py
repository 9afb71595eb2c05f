"""Chromium, in which tests open the report."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

PATIENCE = 300_000  # ms: ten times what playwright waits for a page, and for much else


@contextmanager
def opened() -> Iterator[Callable[..., Page]]:
    """A function that opens a new page. Its keywords are those of playwright's `new_page`."""
    found = shutil.which("chromium")
    if found is None:
        pytest.fail(
            "chromium is not installed: the report's page is tested in it (Debian: apt-get install chromium)"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox"], timeout=PATIENCE
        )

        def new_page(**settings: Any) -> Page:
            page = browser.new_page(**settings)
            page.set_default_timeout(PATIENCE)
            return page

        yield new_page
        browser.close()
