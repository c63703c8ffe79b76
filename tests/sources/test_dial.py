"""Addresses as people write them; connections themselves are tested over loopback in tests/system."""

from __future__ import annotations

import pytest

from livereduce.errors import ConfigError
from livereduce.sources.dial import parse_addresses


def test_host_and_port_are_read_and_the_port_may_be_left_out() -> None:
    assert parse_addresses("bl14b-daq1.sns.gov:31415", 31415) == [("bl14b-daq1.sns.gov", 31415)]
    assert parse_addresses("localhost", 31415) == [("localhost", 31415)]


def test_ipv6_addresses_stand_in_brackets() -> None:
    assert parse_addresses("[::1]:5", 31415) == [("::1", 5)]
    assert parse_addresses("[fe80::1%eth0]", 31415) == [("fe80::1%eth0", 31415)]


def test_several_addresses_are_tried_in_the_order_given() -> None:
    assert parse_addresses("a:1, [::1]:2", 31415) == [("a", 1), ("::1", 2)]


def test_everything_wrong_with_addresses_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_addresses("a:70000,:5,b:port,::1,fine:1", 31415)
    assert len(caught.value.problems) == 4
    assert "'a:70000': expected host:port" in caught.value.problems[0]
