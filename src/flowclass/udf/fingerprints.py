"""Users' own fingerprints: a Python function over heads, compiled when it is defined, called by the engine natively."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowclass import _core
from flowclass.errors import UserFunctionError
from flowclass.udf.compiling import NAME, compiled, nearest, place_of, refuse_bad_name

if TYPE_CHECKING:
    from flowclass.udf.sample import Payload

PREFIX = "user."
CLASSES = ("vpn", "overlay", "proxy", "covert", "app")
IP_PROTOS = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "sctp": 132}
MOST_IP_PROTOS = 8
MOST_RULES = 64
ANY_LENGTH = (1, 0xFFFF_FFFF)


class Fingerprint:
    """A user's fingerprint, compiled; made by `fingerprint`.

    Attributes
    ----------
    name : str
        The protocol as flow records have it: ``user.`` and the function's name, so that no protocol of the build can
        be meant.
    protocol_class : str
        As it was given.
    rules : mapping of str to str
        By the id that evidence has: what each means.
    sha256 : str
        Of the function's source, in hexadecimal, for provenance.

    Examples
    --------
    >>> import flowclass
    >>> @flowclass.fingerprint(protocol_class="app", rules={"ping": "four octets, PING"}, ip_protos=("udp", "tcp"))
    ... def ping(head, evidence):
    ...     evidence.add("ping", 0, 0, 4, 32)
    ...     return head.be32(0, 0) == 0x50494E47 and head.length(0) == 4
    >>> ping.name, ping.rules
    ('user.ping', {'user.ping.ping': 'four octets, PING'})
    """

    kind = "fingerprint"
    reads: tuple[str, ...] = ()

    def __init__(self, function: Callable[[Any, Any], Any], declared: Mapping[str, Any]) -> None:
        self.function = function
        self.name = PREFIX + function.__name__
        self.protocol_class: str = declared["protocol_class"]
        self.rules = {f"{self.name}.{rule}": meaning for rule, meaning in declared["rules"].items()}
        self.sha256 = source_sha256(function)
        self._declared = declared
        self._call, again = _calls(function, tuple(declared["rules"]), tuple(declared["variants"]))
        self._refuse_failing(again)

    def native(self) -> dict[str, Any]:
        """Give what the native core takes. The address is good for as long as this object lives."""
        declared = self._declared
        return {
            "protocol": self.name,
            "protocol_class": self.protocol_class,
            "variants": list(declared["variants"]),
            "rules": list(self.rules.items()),
            "ip_protos": list(declared["ip_protos"]),
            "first_octets": list(declared["first_octets"]),
            "least_length": declared["lengths"][0],
            "most_length": declared["lengths"][1],
            "address": self._call.address,
        }

    def match(self, payloads: Sequence[Payload], *, ip_proto: int = 17, ports: tuple[int, int] = (0, 0)) -> Any:
        """Try the fingerprint on payloads, beside those of the build.

        Parameters
        ----------
        payloads : sequence of (int, int, bytes)
            Direction (0 or 1), time in ns, and octets of each payload.
        ip_proto : int
            The IP protocol.
        ports : tuple of int
            Of the sender of the first payload, and of the other.

        Returns
        -------
        dict
            The best verdict: ``protocol, variant, tier, bits, checks, alternatives``; and ``faults``.
        """
        given = [(way, time, len(octets), octets, 0) for way, time, octets in payloads]
        user = _core.UserMatchers([self.native()])
        return _core.match_payloads(ip_proto, *ports, True, given, user)

    def __call__(self, head: Any, evidence: Any) -> Any:
        """Call the function in Python, as it was written."""
        return self.function(head, evidence)

    def __repr__(self) -> str:
        return f"<flowclass fingerprint {self.name}>"

    def _refuse_failing(self, again: Callable[[int, int], Any]) -> None:
        """Run it on two heads that anybody may send; raise where it does."""
        from flowclass.udf.sample import failed_on, records

        failed = failed_on(self._call.ctypes)
        if failed is None:
            return
        what, payloads = failed
        why = ""
        try:
            with records(payloads) as (head, evidence):
                again(head, evidence)
        except Exception as raised:
            why = f" ({type(raised).__name__}: {raised})"
        raise UserFunctionError(
            f"{place_of(self.function)}: it raised on a head {what}{why}: heads may be short and hold anything; ask"
            " head.count and head.kept(i) first"
        )


def fingerprint(
    *,
    protocol_class: str,
    rules: Mapping[str, str],
    ip_protos: Sequence[int | str] = ("udp",),
    first_octets: Sequence[int] = (),
    lengths: tuple[int, int] = ANY_LENGTH,
    variants: Sequence[str] = (),
) -> Callable[[Callable[[Any, Any], Any]], Fingerprint]:
    """Make a fingerprint of a function ``f(head, evidence) -> bool``.

    It sees a flow's first payloads, says with ``evidence.add`` which checks held, and returns whether they count. Its
    verdict competes with those of the build by the same tiers and bits. Its protocol is called ``user.`` and the
    function's name.

    Parameters
    ----------
    protocol_class : {"vpn", "overlay", "proxy", "covert", "app"}
        What the protocol is.
    rules : mapping of str to str
        The checks, by short names, and what each means, with its source.
    ip_protos : sequence of int or str
        IP protocols worth a trial; numbers, or ``"udp"``, ``"tcp"``, ...
    first_octets : sequence of int
        First octets of a payload that are worth one; by default all.
    lengths : tuple of int
        Least and greatest length of a first payload, in octets, both included.
    variants : sequence of str
        Forms of the protocol that it may name with ``evidence.variant``.

    Returns
    -------
    callable
        A decorator; it gives a `Fingerprint`, for ``EngineOptions(udf=...)``.

    Raises
    ------
    UserFunctionError
        When the function cannot be compiled, has other parameters, gives something else, or fails on a short head.

    Notes
    -----
    ``head`` has ``count`` payloads, ``ip_proto``, ``src_port``, ``dst_port``, ``truncated``; of payload ``i``
    ``direction(i)`` (0: of whoever sent the first), ``length(i)`` on the wire, ``kept(i)`` octets that can be read,
    ``time_ns(i)``, ``octets(i)`` as an array, and the numbers ``u8(i, at)``, ``be16``, ``be32``, ``be64``, ``le16``,
    ``le32``, ``le64``: -1 where they were not kept. ``stream(direction)`` is the in-order beginning of a TCP side.
    ``evidence.add(rule, i, at, length, bits)``: at most 8 bits an octet, or 6 for a check of length 0, of the length
    itself; at most 16 checks. What claims more is refused, and counted.

    Examples
    --------
    >>> import flowclass
    >>> @flowclass.fingerprint(protocol_class="app", rules={"magic": "begins with KNOCK, twice"})
    ... def knock(head, evidence):
    ...     for i in range(head.count):
    ...         if head.be32(i, 0) == 0x4B4E4F43 and head.u8(i, 4) == 0x4B:
    ...             evidence.add("magic", i, 0, 5, 40)
    ...     return head.count > 1
    >>> found = knock.match([(0, 0, b"KNOCK 1"), (1, 10, b"KNOCK 2")])
    >>> found["protocol"], found["tier"], found["bits"]
    ('user.knock', 'confirmed', 80.0)
    """
    declared = {
        "protocol_class": protocol_class,
        "rules": dict(rules),
        "ip_protos": _numbers(ip_protos),
        "first_octets": tuple(first_octets),
        "lengths": tuple(lengths),
        "variants": tuple(variants),
    }
    _refuse_declared(declared)

    def decorate(function: Callable[[Any, Any], Any]) -> Fingerprint:
        refuse_bad_name(function, "protocol")
        parameters = list(inspect.signature(function).parameters)
        if len(parameters) != 2:
            raise UserFunctionError(
                f"{place_of(function)}: a fingerprint takes two arguments, head and evidence, not"
                f" ({', '.join(parameters)})"
            )
        return Fingerprint(function, declared)

    return decorate


def source_sha256(function: Callable[..., Any]) -> str:
    """Give the hash of a function's source; of its byte code where there is none."""
    try:
        text = inspect.getsource(function).encode()
    except OSError:
        text = function.__code__.co_code
    return hashlib.sha256(text).hexdigest()


def _calls(function: Callable[[Any, Any], Any], rules: tuple[str, ...], variants: tuple[str, ...]) -> tuple[Any, Any]:
    """Give what the core calls: addresses of head and evidence in, 1, 0 or, where the function raised, -1 out.

    And the same for Python, which raises where the function does; it is compiled when it is called.
    """
    from numba import cfunc, njit, types

    from flowclass.udf.layout import checked
    from flowclass.udf.native_types import HEAD, EvidenceType, as_head, evidence_maker

    checked()
    kind = EvidenceType(rules, variants)
    made, gives = compiled(function, (HEAD, kind))
    if gives != types.boolean:
        what = "nothing" if gives == types.none else f"{gives}"
        raise UserFunctionError(
            f"{place_of(function)}: a fingerprint returns True where its evidence counts and False where it does not;"
            f" this one returns {what}"
        )
    as_evidence = evidence_maker(kind)

    # Caught here, so that nobody needs Python's lock: the core calls from threads of its own.
    def call(head: Any, evidence: Any) -> Any:
        held = False
        try:
            held = made(as_head(head), as_evidence(evidence))
        except Exception:
            return -1
        return 1 if held else 0

    def again(head: Any, evidence: Any) -> Any:
        return made(as_head(head), as_evidence(evidence))

    return cfunc(types.intc(types.uintp, types.uintp))(call), njit(again)


def _numbers(given: Sequence[int | str]) -> tuple[int, ...]:
    if isinstance(given, (str, int)):
        given = (given,)
    numbers = []
    for one in given:
        if isinstance(one, str) and one not in IP_PROTOS:
            raise UserFunctionError(
                f"ip_protos: {one!r} is no IP protocol known by name{nearest(one, IP_PROTOS)}; give its number"
            )
        numbers.append(IP_PROTOS[one] if isinstance(one, str) else one)
    return tuple(numbers)


def _refuse_declared(declared: Mapping[str, Any]) -> None:
    kind, rules, protos = declared["protocol_class"], declared["rules"], declared["ip_protos"]
    least, most = declared["lengths"]
    if kind not in CLASSES:
        raise UserFunctionError(
            f"protocol_class = {kind!r} is not permitted{nearest(str(kind), CLASSES)}; give one of {', '.join(CLASSES)}"
        )
    if not 0 < len(rules) <= MOST_RULES or not all(NAME.fullmatch(rule) for rule in rules):
        raise UserFunctionError(
            f"rules = {rules!r} is not permitted: give 1 to {MOST_RULES} names of a-z, 0-9 and _, each with its meaning"
        )
    if not 0 < len(protos) <= MOST_IP_PROTOS or not all(isinstance(one, int) and 0 < one < 256 for one in protos):
        raise UserFunctionError(f"ip_protos = {protos!r} is not permitted: give 1 to 8 IP protocols, from 1 to 255")
    if not all(isinstance(one, int) and 0 <= one < 256 for one in declared["first_octets"]):
        raise UserFunctionError(f"first_octets = {declared['first_octets']!r} is not permitted: give 0 to 255 each")
    if not 0 <= least <= most <= ANY_LENGTH[1]:
        raise UserFunctionError(f"lengths = {(least, most)!r} is not permitted: give (least, greatest) in octets")
    if not all(isinstance(one, str) and NAME.fullmatch(one) for one in declared["variants"]):
        raise UserFunctionError(f"variants = {declared['variants']!r} is not permitted: give names of a-z, 0-9 and _")
