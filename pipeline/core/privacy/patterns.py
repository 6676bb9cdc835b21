"""Patterns that find personal data in texts: those that are ready-made, each with a check where there is one.

A pattern that takes ordinary numbers for personal data destroys evidence. So only what can be told apart is here: by
its shape, or by the check digits that it carries. National ids of nine digits alone are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pipeline.core.alerts.rules import compiled

_CODICE_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
"""Value of A to Z, and of 0 to 9 as of A to J, at the odd places of an Italian codice fiscale."""

_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_DNI_FIRST: Final = {"X": "0", "Y": "1", "Z": "2"}


class Pattern(NamedTuple):
    """One pattern.

    Attributes:
        finds: a compiled expression of RE2.
        holds: whether what it found is what it looks like.
        worth: characters of which a text must hold one to be looked at; none: any text is.
    """

    finds: Any
    holds: Callable[[str], bool]
    worth: str = ""


def _always(_: str) -> bool:
    return True


def _digits(text: str) -> list[int]:
    return [int(each) for each in text if each.isdecimal()]


def _luhn(text: str) -> bool:
    """Whether the last digit is that of a payment card; twenty of the same digit are no card."""
    digits = _digits(text)
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _address_of_four(text: str) -> bool:
    return ":" in text or all(int(part) < 256 for part in text.split("."))  # an octet


def _iban(text: str) -> bool:
    """Whether the check digits of ISO 13616 fit."""
    bare = text.replace(" ", "").upper()
    return int("".join(str(int(each, 36)) for each in bare[4:] + bare[:4])) % 97 == 1


def _us_ssn(text: str) -> bool:
    """Whether the number can have been given: areas 000, 666 and 900 and above, and zeros, never are."""
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _dni(text: str) -> bool:
    bare = text.replace("-", "").upper()
    number = _DNI_FIRST.get(bare[0], bare[0]) + bare[1:-1]
    return _DNI_LETTERS[int(number) % len(_DNI_LETTERS)] == bare[-1]


def _codice_fiscale(text: str) -> bool:
    values = [int(each) if each.isdecimal() else ord(each) - ord("A") for each in text.upper()[:-1]]
    total = sum(_CODICE_ODD[value] if place % 2 == 0 else value for place, value in enumerate(values))
    return chr(ord("A") + total % 26) == text[-1].upper()


_IP_SIX: Final = (
    r"(?i:\b(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}\b|\b(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}\b"
    r"|\b(?:[0-9a-f]{1,4}:){2,7}:)"
)
_DIGITS: Final = "0123456789"

READY: Final[Mapping[str, Pattern]] = {
    "email": Pattern(
        compiled(r"[\w.%+'-]{1,64}(?:@|%40)(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"), _always, worth="@%"
    ),
    "phone": Pattern(compiled(r"\+\d{1,3}[ (/.-]{0,2}\d(?:[ ()/.-]{0,2}\d){6,12}\b"), _always, worth="+"),
    "ip": Pattern(compiled(rf"\b\d{{1,3}}(?:\.\d{{1,3}}){{3}}\b|{_IP_SIX}"), _address_of_four, worth=".:"),
    "payment_card": Pattern(compiled(r"\b\d(?:[ -]?\d){12,18}\b"), _luhn, worth=_DIGITS),
    "iban": Pattern(compiled(r"(?i:\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b)"), _iban, _DIGITS),
    "us_ssn": Pattern(compiled(r"\b\d{3}-\d{2}-\d{4}\b"), _us_ssn, worth="-"),
    "es_dni": Pattern(compiled(r"(?i:\b[0-9XYZ]\d{7}-?[A-Z]\b)"), _dni, worth=_DIGITS),
    "it_codice_fiscale": Pattern(
        compiled(r"(?i:\b[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]\b)"), _codice_fiscale, worth=_DIGITS
    ),
}
"""Ready-made patterns by name."""


def own(pattern: str) -> Pattern:
    """A pattern of the configuration.

    Raises:
        PatternError: it is too long, not one of RE2, or matches nothing at all and so everywhere.
    """
    return Pattern(compiled(pattern), _always)
