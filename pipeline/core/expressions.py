"""Conditions in CEL, the Common Expression Language: compiled once, evaluated often, bounded in size and in cost.

    scope = Scope({"member": "object", "headers": "object"})
    condition = scope.compile("member.state == 'RAISED'", OnError.REFUSE)
    condition.holds(scope.facts(member=document, headers={}), "$.alerts[3]")

CEL cannot loop without end, cannot call out and changes nothing. What it may still cost is bounded here and by the
library (decision 0011). Knows neither feeds nor rules: who asks says which names there are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import orjson
from cel_expr_python import cel

from pipeline.models.decision import BadRecord, Reason

EXPRESSION_CHARS_MAX: Final = 1_000
"""A condition is read by people: the longest sensible ones have some 300 characters."""

COSTLY_INPUT_BYTES_MAX: Final = 32_768
"""What an expression with list macros or ``+`` may read, as JSON. Within it the worst one costs seconds, not minutes:
the library allows 10,000 steps of macros, and each may look at all of the input."""

_MACROS: Final = "all|exists|exists_one|existsOne|map|filter"
_STRING: Final = r"""[rR]?(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
_STRINGS: Final = re.compile(_STRING)
_MACRO: Final = re.compile(rf"\.\s*(?:{_MACROS})\s*\(")
_MATCHES: Final = re.compile(r"\bmatches\b")
_MATCHES_QUOTED: Final = re.compile(r"\bmatches\s*\(\s*''\s*\)")
_PATTERN: Final = re.compile(rf"\bmatches\s*\(\s*({_STRING})\s*\)")

# What the library says where a key is absent. Of its words only a name that the expression itself holds is repeated.
_ABSENT: Final = re.compile(r'Key not found in map : "([A-Za-z0-9_.-]{1,64})"')
_WHERE: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")

_TYPES: Final[Mapping[str, cel.Type]] = {"any": cel.Type.DYN, "object": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)}


class OnError(StrEnum):
    """What a condition that cannot be evaluated comes to."""

    REFUSE = "refuse"
    IGNORE = "ignore"


class ExpressionError(ValueError):
    """An expression that cannot be used, found when it is compiled; the message is one sentence for its author."""


class Facts:
    """The values of a scope's names, converted once for all conditions that are asked about them.

    Attributes:
        activation: the library's form of them.
        values: as given.
    """

    __slots__ = ("activation", "values")

    def __init__(self, activation: Any, values: Mapping[str, Any]) -> None:
        self.activation = activation
        self.values = values


class Condition:
    """A compiled expression that is true or false."""

    __slots__ = ("_costly", "_expression", "on_error", "source")

    def __init__(self, source: str, expression: Any, on_error: OnError, *, costly: bool) -> None:
        self.source = source
        self.on_error = on_error
        self._expression = expression
        self._costly = costly

    def holds(self, facts: Facts, where: str = "$") -> bool:
        """Whether the condition is true.

        Args:
            facts: of the scope that it was compiled in.
            where: path of what it is asked about, for the refusal.

        Raises:
            BadRecord: it cannot be evaluated (what it reads is absent, of another type, or too large), and its rule
                is to refuse then. With the rule to ignore it is not true.
        """
        fault = self._fault_of_size(facts) if self._costly else None
        if fault is None:
            try:
                result = self._expression.eval(facts.activation)
                value = result.plain_value()
            except (RuntimeError, ValueError, TypeError, OverflowError) as error:
                fault = self._fault(str(error))
            else:
                if value is True or value is False:
                    return value
                fault = self._fault(value if result.type() == cel.Type.ERROR else "")
        if self.on_error is OnError.IGNORE:
            return False
        raise BadRecord(Reason.UNKNOWN_SHAPE, f"{where}: {fault}: {self.source}")

    def _fault_of_size(self, facts: Facts) -> str | None:
        try:
            if len(orjson.dumps(facts.values)) <= COSTLY_INPUT_BYTES_MAX:
                return None
        except orjson.JSONEncodeError:  # nested deeper than is written: it may be read all the same
            return "nested too deep for a condition over lists or with +"
        return f"over {COSTLY_INPUT_BYTES_MAX:,} bytes, which a condition over lists or with + does not read"

    def _fault(self, said: str) -> str:
        """What is wrong, without the library's words: they may hold the payload's values."""
        absent = _ABSENT.search(said)
        if absent and absent[1] in self.source:
            return f"a condition reads '{absent[1]}', which is absent"
        if "budget exceeded" in said:
            return "a condition takes too many steps over lists"
        return "a condition reads what is absent or of another type"


class Scope:
    """The names that expressions may use, each ``object`` (text to anything) or ``any``."""

    __slots__ = ("_environment", "names")

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = tuple(names)
        self._environment = cel.NewEnv(variables={name: _TYPES[kind] for name, kind in names.items()})

    def compile(self, source: str, on_error: OnError = OnError.REFUSE) -> Condition:
        """Compile and check a condition.

        Raises:
            ExpressionError: it is no CEL, uses a name or function that is not there, is not true or false, or may
                cost too much.
        """
        costly = _check_cost(source)
        try:
            expression = self._environment.compile(source)
        except RuntimeError as error:
            raise ExpressionError(self._sentence(str(error))) from error
        if expression.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
            raise ExpressionError(f"must be true or false, and is {expression.return_type().name().lower()}")
        self._check_patterns(source)
        return Condition(source, expression, on_error, costly=costly)

    def facts(self, **values: Any) -> Facts:
        """The values of all names, of JSON's types. They are converted when a condition first reads them."""
        return Facts(self._environment.Activation(values), values)

    def _sentence(self, said: str) -> str:
        """The first fault that the library names, with the column, in one line."""
        found = _WHERE.search(said)
        if found is None:
            return "nested too deep for an expression" if "recursion" in said else "not an expression in CEL"
        if "recursion" in found[3]:
            return "nested too deep for an expression"
        fault = found[3].removeprefix("Syntax error: ").partition(" expecting ")[0].removesuffix(" (in container '')")
        names = f" (names: {', '.join(self.names)})" if "undeclared" in fault else ""
        return f"not an expression in CEL: column {int(found[2])}: {fault}{names}"

    def _check_patterns(self, source: str) -> None:
        for found in _PATTERN.finditer(source):
            tried = cel.NewEnv().compile(f"''.matches({found[1]})").eval()
            if tried.type() == cel.Type.ERROR:
                raise ExpressionError(f"matches({found[1]}): not a regular expression in RE2's syntax")


def _check_cost(source: str) -> bool:
    """Whether evaluation may cost more than reading the input once.

    Raises:
        ExpressionError: the expression is too long, or its cost has no bound.
    """
    if len(source) > EXPRESSION_CHARS_MAX:
        raise ExpressionError(f"{len(source):,} characters, at most {EXPRESSION_CHARS_MAX:,}; split it")
    bare = _STRINGS.sub("''", source)
    if len(_MATCHES.findall(bare)) > len(_MATCHES_QUOTED.findall(bare)):
        raise ExpressionError("matches() takes its pattern in quotes: a pattern from a message may cost any time")
    macros, adds = bool(_MACRO.search(bare)), "+" in bare
    if macros and adds:
        raise ExpressionError("'+' together with all(), exists(), map() or filter() may need any amount of memory")
    return macros or adds
