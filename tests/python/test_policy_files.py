"""Policy files: every defect with its line, value, reason and the nearest permitted one; exemptions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

import flowclass
from flowclass.policy import Exemption, Policy, PolicyError, PolicyOptions
from flowclass.policy.positions import lines
from flowclass.registries.timestamps import parse_timestamp

# Every number in it is the line it stands on.
FORMS = """# a comment with [brackets] = 1
bare = 2
"quoted key" = 3   # comment
'literal.key' = 4
"esc\\u0061ped" = 5
dotted.inner . deep = 6
texts = ["a # b", 'c ] d', \"\"\"x
y " ""z\"\"\"\"\"]
after = 9
marks = ["\\"", '\\', '''
it's''', 11]
list = [ # why
  13, [13,
  14], # ]
  15,
]
inline = { a = 17, b = [17, {c = 17}], d.e = 17, "}" = 17 }
[table] # comment
key = 19
[table.under."x.y"]
key = 21
[[array]]
key = 23
when = 2024-11-20 08:00:00
[array.sub]
key = 26
[[array.nested]]
key = 28
[[array.nested]]
key = 30

[[array]]
key = 33
[[array.nested]]
key = 35
[ spaced . header ]
key = 37
"""


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> dict[tuple[str | int, ...], Any]:
    if isinstance(value, (dict, list)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        found = {path: value} if path else {}
        for key, inner in pairs:
            found |= leaves(inner, (*path, key))
        return found
    return {path: value}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_number_says_its_line(end: str) -> None:
    text = FORMS.replace("\n", end)
    places = lines(text)
    found = leaves(tomllib.loads(text))
    assert set(places) == set(found)
    numbers = {path: value for path, value in found.items() if type(value) is int}
    assert len(numbers) == 25
    assert {path: places[path] for path in numbers} == numbers
    assert places["array",] == 22
    assert places["array", 1] == 32
    assert places["array", 0, "nested", 1] == 29
    assert places["list", 1, 1] == 14


def test_a_mark_at_the_beginning() -> None:
    """Editors on Windows write one."""
    assert Policy.parse(b'\xef\xbb\xbfclasses = ["proxy"]').options.classes == ("proxy",)
    with pytest.raises(PolicyError) as caught:
        Policy.parse(b'\xef\xbb\xbf\nclasses = ["prox"]')
    assert [problem.line for problem in caught.value.problems] == [2]


def test_empty_documents() -> None:
    assert lines("") == lines("# nothing") == lines("\n\n") == {}
    assert lines("a=1") == {("a",): 1}


WRONG = """classes = ["vpn",
  "vnp"]
defualt_outcome = "review"
[tiers]
violation = "confirmd"
[pending]
grace = "yes"
window_hours = -1

[[phase]]
name = "trial"
from = 2024-11-20
until = 2024-11-19
outcome = "violation_trail"

[[phase]]
from = "2024-12-01"
colour = 1

[[exempt]]
prefix = "192.0.2.7/24"
reason = ""
[[exempt]]
until = 2025-01-01
"""


def test_all_defects_of_a_file_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(WRONG)
    with pytest.raises(PolicyError) as caught:
        Policy.load(path)
    said = [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]
    assert said == [
        "2: classes, item 2 = 'vnp' is not permitted: give one of vpn, overlay, proxy, covert, app;"
        " the nearest one is 'vpn'",
        "3: key 'defualt_outcome' is not known; the nearest known one is 'default_outcome'",
        "5: tiers.violation = 'confirmd' is not permitted: give one of possible, probable, confirmed;"
        " the nearest one is 'confirmed'",
        "7: pending.grace = 'yes' is not permitted: give true or false",
        "8: pending.window_hours = -1 is not permitted: give 0 to 87600",
        "13: phase 1: until = '2024-11-19' is not permitted: 'until' is not after 'from'; give a later one or leave it"
        " out",
        "14: phase 1: outcome = 'violation_trail' is not permitted: give one of allow_grace, review, violation_trial,"
        " violation; the nearest one is 'violation_trial'",
        "16: phase 2: the key 'name' is missing",
        "16: phase 2: the key 'outcome' is missing",
        "17: phase 2: from = '2024-12-01' is not permitted: give a date or date-time without quotes",
        "18: phase 2: key 'colour' is not known; the nearest known one is 'outcome'",
        "21: exempt 1: prefix = '192.0.2.7/24' is not permitted: host bits are set; the network is 192.0.2.0/24, the"
        " single address 192.0.2.7",
        "22: exempt 1: reason = '' is not permitted: say in printable words why it is exempt",
        "23: exempt 2: the key 'prefix' is missing",
        "23: exempt 2: the key 'reason' is missing",
    ]
    assert str(caught.value).startswith(f"{path}: the policy is refused for {len(said)} errors")
    assert isinstance(caught.value, flowclass.ConfigError)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"\n\nphase = ]", 3, "not TOML"),
        (b"a = 1\n\xff", 2, "not UTF-8"),
        (b"\n[[exempt]]\nprefix = '192.0.2.0/24'\nreason = 'a'\n[[exempt]]\nprefix = '192.0.2.0/24'\nreason = 'b'", 6,
         "exempt twice"),
        (b"\nexempt = 3", 2, "give a list"),
        (b"exempt = [\n3]", 2, "it is not a table"),
        (b"[[exempt]]\nprefix = '::1'\nuntil = '2024-01-01'\nreason = 'a'", 3, "without quotes"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, 1, "not a policy|not TOML"),
    ],
)  # fmt: skip
def test_one_defect(text: bytes, line: int, reason: str) -> None:
    with pytest.raises(PolicyError, match=reason) as caught:
        Policy.parse(text)
    (problem,) = caught.value.problems
    assert problem.line == line


EXEMPT = b"""
default_outcome = "violation"
[[exempt]]
prefix = "192.0.2.0/24"
until = 2024-12-01
reason = "the pilot of the ministry"
[[exempt]]
prefix = "2001:db8::1 - 2001:db8::2"
reason = "measurement"
"""


def test_exemptions() -> None:
    policy = Policy.parse(EXEMPT)
    assert policy.options.exemptions == (
        Exemption(prefix="192.0.2.0/24", until=parse_timestamp("2024-12-01"), reason="the pilot of the ministry"),
        Exemption(prefix="2001:db8::1 - 2001:db8::2", reason="measurement"),
    )
    facts = ("vpn", "confirmed", "unregistered", None, 0)
    assert policy.native.judge(*facts, exempt=True) == ("allow", None, "exempt")
    assert policy.native.judge(*facts) == ("violation", None, "unregistered")


@pytest.mark.parametrize(("until", "outcome"), [("2027-01-01", "allow"), ("2026-01-01", "violation")])
def test_an_exemption_holds_in_a_run(until: str, outcome: str) -> None:
    """The ends of a flow of the sample captures: exempt before `until`, whichever end it is."""
    capture = ROOT / "datasets" / "captures" / "wireguard-udp-443.pcapng"
    registry = flowclass.Registry([])
    (row,) = flowclass.classify(capture, registry=registry).to_pyarrow().to_pylist()
    for end in ("src_ip", "dst_ip"):
        text = f"default_outcome='violation'\n[[exempt]]\nprefix='{row[end]}'\nuntil={until}\nreason='a test'"
        (judged,) = (
            flowclass.classify(capture, registry=registry, policy=Policy.parse(text.encode())).to_pyarrow().to_pylist()
        )
        assert judged["policy_outcome"] == outcome
        assert judged["policy_reason"] == ("exempt" if outcome == "allow" else "unregistered")


@pytest.mark.parametrize(
    ("given", "reason"),
    [({"prefix": "192.0.2.1/24", "reason": "a"}, "host bits"), ({"prefix": "::1", "reason": " "}, "say why")],
)
def test_an_exemption_refused(given: dict[str, str], reason: str) -> None:
    with pytest.raises(flowclass.ConfigError, match=reason):
        Exemption(**given)


def test_the_reasons_are_documented() -> None:
    """The closed list of policy_reason, in the order of the core, stands in the page."""
    from flowclass import _core

    page = (ROOT / "docs" / "registry_and_policy.md").read_text()
    reasons = _core.judged_names(None)["policy_reason"]
    assert len(reasons) == 15
    assert not [reason for reason in reasons if not re.search(rf"`{reason}`", page)]
    assert Policy(PolicyOptions()).native.judge("vpn", "confirmed", "registered", None, 0)[2] in reasons
