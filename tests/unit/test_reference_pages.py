"""The pages of reference are what the sources say."""

from __future__ import annotations

import sys

import pytest

from conftest import TOP

sys.path.insert(0, str(TOP / "scripts"))
import reference_pages


@pytest.mark.parametrize("name", reference_pages.PAGES)
def test_page(name: str) -> None:
    """scripts/reference_pages.py writes the page."""
    assert (TOP / "docs" / name).read_text() == reference_pages.PAGES[name]()
