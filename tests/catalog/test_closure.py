"""Closure and permissions of a pack: what names a priority, field, state or command that there is none of."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog import ConfigError, load_config
from pipeline.models.closure import Closure
from pipeline.models.command import CommandType, Role
from pipeline.models.permissions import permission_of
from tests.catalog.directory import write

RETAIL = """
closure:
  close_after_minutes: {P1: 0, P7: 60}
  close_undocumented: sometimes
"""
WARDS = """
closure:
  require: {P1: [causes], P9: []}
permissions:
  resovle: [commander]
  cancel: {roles: [responder], states: {done: []}, priorities: {P0: []}}
"""


def test_every_problem_is_named_with_file_and_line(tmp_path: Path) -> None:
    files = {
        "domains/retail.yaml": RETAIL,
        "domains/wards.yaml": WARDS,
        "domains/office.yaml": "permissions: {cancel: [boss]}\n",
    }
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, files), {})
    assert sorted(str(problem) for problem in caught.value.problems) == [
        "domains/office.yaml:1: permissions.cancel.roles.0: input should be 'viewer', 'responder', 'commander', "
        "'administrator', 'source' or 'system'",
        "domains/retail.yaml:2: closure.close_after_minutes.each.P1: input should be greater than 0",
        "domains/retail.yaml:3: closure.close_undocumented.all: input should be 'after' or 'never'",
        "domains/wards.yaml:2: require: unknown field of a resolution 'causes'; did you mean 'cause'?",
        "domains/wards.yaml:2: require: unknown priority 'P9'; known: P1, P2, P3, P4",
        "domains/wards.yaml:4: permissions: unknown command 'resovle'; did you mean 'resolve'?",
        "domains/wards.yaml:5: priorities: unknown priority 'P0'; known: P1, P2, P3, P4",
        "domains/wards.yaml:5: states: unknown state 'done'",
    ]


def test_a_pack_says_who_may_do_what_and_what_it_leaves_out_stays(tmp_path: Path) -> None:
    pack = "permissions:\n  close: [commander]\n  resolve: {roles: [responder, commander], bridge: [commander]}\n"
    stated = load_config(write(tmp_path, {"domains/retail.yaml": pack}), {}).domains["retail"].permissions
    assert permission_of(stated, CommandType.CLOSE).roles == (Role.COMMANDER,)
    lets = permission_of(stated, CommandType.RESOLVE).lets
    assert lets(bridge=False, state="logged", priority="P1") == (Role.RESPONDER, Role.COMMANDER)
    assert lets(bridge=True, state="logged", priority="P1") == (Role.COMMANDER,)
    assert Role.RESPONDER in permission_of(stated, CommandType.NOTE).roles


@pytest.mark.parametrize(
    ("stated", "minutes"),
    [
        (Closure(close_after_minutes=90), {"P1": 90, "P2": 90}),
        (Closure(close_after_minutes={"P1": 90}), {"P1": 90, "P2": 24 * 60}),
    ],
)
def test_a_setting_is_one_value_or_one_for_each_priority(stated: Closure, minutes: dict[str, int]) -> None:
    assert {priority: stated.of("close_after_minutes", priority) for priority in minutes} == minutes
