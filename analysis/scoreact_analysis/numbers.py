"""Numbers as people read them."""

import math


def plain(value: float, digits: int = 3) -> str:
    """A number with `digits` significant digits, a dash for NaN."""
    if not math.isfinite(value):
        return "–"
    value += 0.0  # turns -0.0 into 0.0
    if value != 0.0 and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    decimals = max(0, digits - 1 - (math.floor(math.log10(abs(value))) if value else 0))
    return f"{value:.{min(decimals, 6)}f}".replace("-", "−")


def with_error(value: float, error: float) -> str:
    """A value with its standard error, both to the error's second digit: −0.123 ± 0.045."""
    if not math.isfinite(value):
        return "–"
    if not math.isfinite(error) or error <= 1e-6 * abs(value):  # none, or rounding
        return plain(value)
    decimals = min(max(0, 1 - math.floor(math.log10(error))), 6)
    return f"{value:.{decimals}f} ± {error:.{decimals}f}".replace("-", "−")


def percent(share: float) -> str:
    """A share as a percentage, a dash for NaN."""
    return f"{100 * share:.1f} %".replace("-", "−") if math.isfinite(share) else "–"


def duration(seconds: float) -> str:
    """Seconds as 12.3 s, 4 min 05 s or 2 h 03 min."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def count(value: float) -> str:
    """A count with thin spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\u202f") if math.isfinite(value) else "–"
