"""Ports for what is started a moment later: free, different, and none that a connection may be given meanwhile."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from pipeline.kafka import ports
from pipeline.kafka.ports import HOST, PORTS, free_ports


def test_ports_are_free_different_and_not_given_to_connections() -> None:
    found = free_ports(50)
    assert len(set(found)) == 50
    assert set(found) <= set(PORTS)
    with ExitStack() as held:
        for port in found:
            held.enter_context(socket.socket()).bind((HOST, port))


def test_a_port_that_is_taken_is_passed_over_and_where_all_are_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = free_ports(2)
    monkeypatch.setattr(ports, "PORTS", (one, other))
    with socket.socket() as taken:
        taken.bind((HOST, one))
        assert free_ports(1) == [other]
        with pytest.raises(OSError, match="in use"):
            free_ports(2)
