"""docs/errors.md shows what the program prints."""

from errors_page import ROOT, page


def test_the_page_on_errors_is_what_the_program_prints() -> None:
    written = (ROOT / "docs" / "errors.md").read_text()
    assert written == page(), "tests/regression/errors_page.py writes the page anew"
