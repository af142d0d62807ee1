"""Feature columns of any packets equal the reference's; turning every packet round turns the columns round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from feature_reference import Decoder, features, packets_of_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from test_flows import RAW_IP, START_NS, TCP, UDP, Sent, packets

import flowclass
from flowclass.schema import feature_fields

NAMES = [column["name"] for column in feature_fields()]
OPTIONS = flowclass.EngineOptions(heads=True, features=True, active_timeout_ns=60_000_000_000)
# Steps back as well, silences that part active periods, and such as end flows.
STEPS = st.one_of(
    st.integers(-2_000_000_000, 2_000_000_000),
    st.sampled_from((0, 1, 4_999_999_999, 5_000_000_000, 5_000_000_001, 59_000_000_000, 130_000_000_000)),
)


@dataclass(frozen=True)
class Frame:
    """What the reference reads."""

    time: int
    octets: bytes
    link_type: int = RAW_IP

    @property
    def wire_length(self) -> int:
        """Octets on the wire: all of them are here."""
        return len(self.octets)


def timed(sent: list[Sent], steps: list[int]) -> list[Frame]:
    now, frames = START_NS, []
    for packet, step in zip(sent, steps, strict=True):
        now += step
        frames.append(Frame(now, packet.octets()))
    return frames


def rows_of(frames: list[Frame]) -> list[dict[str, Any]]:
    source = flowclass.Packets([(frame.time, frame.octets) for frame in frames], link_type=RAW_IP)
    return flowclass.classify(source, options=OPTIONS).to_pyarrow().to_pylist()


@st.composite
def conversations(draw: st.DrawFn) -> list[Frame]:
    sent = draw(packets())
    return timed(sent, draw(st.lists(STEPS, min_size=len(sent), max_size=len(sent))))


@given(frames=conversations())
@settings(deadline=None)
def test_features_equal_the_reference(frames: list[Frame]) -> None:
    rows = rows_of(frames)
    for row, own in zip(rows, packets_of_rows(rows, Decoder().packets(frames)), strict=True):
        assert own is not None
        expected = features(own, row, row["head"])
        for name in NAMES:
            found, wanted = row[name], expected[name]
            if isinstance(found, float) and wanted is not None:
                assert abs(found - wanted) <= 1e-9 * abs(wanted), name
            else:
                assert found == wanted, name


@given(frames=conversations())
@settings(deadline=None)
def test_what_the_numbers_say_of_each_other(frames: list[Frame]) -> None:
    for row in rows_of(frames):
        count = row["packets_fwd"] + row["packets_rev"]
        assert len(row["splt_len"]) == len(row["splt_dir"]) == len(row["splt_iat_ns"]) == min(16, count)
        for name in ("pkt_len", "iat_ns"):
            for way in ("fwd", "rev", "bi"):
                least, mean, std, most = (row[f"{name}_{one}_{way}"] for one in ("min", "mean", "std", "max"))
                if least is not None:
                    assert 0 <= least <= mean <= most
                    assert std is None or 0 <= std <= (most - least) / 2 + 1e-6
        for way in ("fwd", "rev"):
            number, octets = row[f"packets_{way}"], row[f"bytes_{way}"]
            mean = row[f"pkt_len_mean_{way}"]
            assert mean == (octets / number if number else None)
        assert (row["iat_ns_max_bi"] or 0) <= row["duration_ns"]
        assert (row["active_ns_max"] or 0) <= row["duration_ns"]
        assert (row["idle_ns_mean"] is None) == (row["active_periods"] == 1)


@given(sent=packets(protocols=(TCP, UDP)), data=st.data())
@settings(deadline=None)
def test_turning_every_packet_round_turns_the_columns_round(sent: list[Sent], data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.integers(0, 10_000_000_000), min_size=len(sent), max_size=len(sent)))
    straight = {row["flow_id"]: row for row in rows_of(timed(sent, steps))}
    turned = {row["flow_id"]: row for row in rows_of(timed([packet.turned() for packet in sent], steps))}
    assert straight.keys() == turned.keys()
    for flow_id, row in straight.items():
        other = turned[flow_id]
        same = (other["src_ip"], other["src_port"]) == (row["src_ip"], row["src_port"])
        assert other["splt_dir"] == [-one if same else one for one in row["splt_dir"]]
        for name in NAMES:
            if name.startswith(("pkt_len", "iat_ns", "tcp_")) and name.endswith("_fwd"):
                pair = (row[name], row[name[:-3] + "rev"])
                assert (other[name], other[name[:-3] + "rev"]) == (pair[::-1] if same else pair), name
