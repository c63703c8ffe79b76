from zoneinfo import ZoneInfo

import pytest

from livereduce import facilities


def test_powgen_is_found_by_name_and_by_short_name_in_any_case() -> None:
    powgen = facilities.find("POWGEN")
    assert powgen is not None
    assert powgen is facilities.find("pg3")
    assert (powgen.short_name, powgen.facility, powgen.time_zone) == ("PG3", "SNS", "America/New_York")
    assert powgen.connection() == facilities.Connection("event", "SNSLiveEventDataListener", "bl11a-daq1.sns.gov:31415")


@pytest.mark.parametrize(
    ("name", "short", "facility", "connection", "address"),
    [
        ("NGEM", "NGEM", "ISIS", "histo", "NDXGEM:6789"),
        ("ENGIN-X", "ENGINX", "ISIS", "histo", "NDXENGINX:6789"),
        ("MERLIN_EVENT", "MER", "ISIS", "event", "NDXMERLIN:10000"),
        ("WAND", "HB2C", "HFIR", "event", "hb2c-daq1.ornl.gov:31415"),
        ("REF_M", "REF_M", "SNS", "event", "bl4a-daq1.sns.gov:31415"),
        ("V20", "V20", "HZB", "event", "192.168.1.80:9092"),
        ("ADARA_FakeEvent", "ADARA_FakeEvent", "TEST_LIVE", "fake", "127.0.0.1:0"),
    ],
)
def test_entries_of_every_kind_are_as_published(
    name: str, short: str, facility: str, connection: str, address: str
) -> None:
    found = facilities.find(name)
    assert found is not None
    default = found.connection()
    assert default is not None
    assert (found.short_name, found.facility, default.name, default.address) == (short, facility, connection, address)


def test_mari_prefers_kafka_and_still_offers_its_histograms() -> None:
    mari = facilities.find("MARI")
    assert mari is not None
    assert [c.name for c in mari.connections] == ["kafka_event", "histo"]
    histogram = mari.connection("HISTO")
    assert histogram is not None
    assert histogram.address == "NDXMARI:6789"
    assert mari.connection("event") is None


def test_a_short_name_means_the_instrument_that_has_live_data() -> None:
    gpsans = facilities.find("CG2")
    assert gpsans is not None
    assert gpsans.name == "GPSANS"


def test_a_name_goes_before_the_same_short_name() -> None:
    let = facilities.find("LET")
    assert let is not None
    assert let.name == "LET"


def test_loki_of_the_test_facility_is_found_when_asked_for() -> None:
    ours, theirs = facilities.find("LOKI"), facilities.find("LOKI", facility="TEST_LIVE")
    assert ours is not None
    assert theirs is not None
    assert (ours.facility, ours.connections[0].address) == ("ESS", "localhost:9092")
    assert (theirs.facility, theirs.connections[0].address) == ("TEST_LIVE", "hinata:9092")


def test_the_table_is_complete_and_every_row_makes_sense() -> None:
    rows = facilities.instruments()
    counts = {f: sum(i.facility == f for i in rows) for f in facilities.facilities()}
    # 33 histogram instruments, ENGIN-X, NGEM, 5 event twins, ZOOM and two without live data at ISIS
    assert counts == {"ISIS": 43, "HFIR": 12, "SNS": 23, "HZB": 2, "ESS": 1, "TEST_LIVE": 6}
    assert sum(not i.connections for i in rows) == 2 + 8 + 7
    for row in rows:
        ZoneInfo(row.time_zone)
        for connection in row.connections:
            assert connection.listener in facilities.LISTENERS
            host, _, port = connection.address.rpartition(":")
            assert host
            assert 0 <= int(port) < 65536


def test_a_misspelt_name_gives_the_nearest() -> None:
    assert facilities.find("POWGAN") is None
    assert facilities.nearest("POWGAN") == "POWGEN"
    assert facilities.nearest("zzzzzzzz") is None


def test_listeners_are_known_by_class_and_by_kind() -> None:
    assert facilities.kind_of("SNSLiveEventDataListener") == "adara"
    assert facilities.kind_of("adara") == "adara"
    assert facilities.kind_of("SINQHMListener") is None
