"""What every command's help ends with: examples that can be copied, and the exit codes that it can give."""

from __future__ import annotations

import click

CODES = {
    0: "done",
    1: "internal error",
    2: "wrong usage",
    3: "done, but some input was cut, garbled or dropped",
    4: "no usable input",
    5: "registry, policy, configuration or a needed program is not valid",
    6: "output failed",
    10: "a condition that was asked for does not hold",
    130: "ended by a signal (130, 143), with complete files",
}
_RUN = (0, 3, 4, 5, 6, 10, 130)
_READ = (0, 4, 5, 6)
_DESK = (0, 5)

EXAMPLES: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "classify": (
        (
            "flowclass classify capture.pcapng",
            "flowclass classify /captures/2026-11 -o flows.parquet --threads 2",
            "flowclass classify a.pcap --registry list.csv --policy policy.toml",
            "zcat big.pcap.gz | flowclass classify - --format jsonl | jq .protocol",
            "flowclass classify a.pcap --format none --json",
            "flowclass classify s3://captures/2026 --engine ray -o s3://verdicts/2026",
        ),
        _RUN,
    ),
    "live": (
        (
            "flowclass live -i eth0 --user nobody -o flows.parquet",
            "flowclass live -i eth0 --filter 'udp or tcp port 443' --duration 1h",
            "flowclass live --watch /var/spool/captures -o flows.parquet",
            "ssh probe tcpdump -i eth0 -U -w - | flowclass live -",
        ),
        _RUN,
    ),
    "merge-stream": (
        (
            "flowclass live -i eth0 -o nats://broker/flowclass.flows.v1.east",
            "flowclass merge-stream 'nats://broker/flowclass.flows.v1.>' -o flows.jsonl",
            "flowclass merge-stream 'kafka://a,b/flowclass.flows.v1.*' --wait 200s",
        ),
        (0, 4, 5, 6, 130),
    ),
    "match": (
        (
            "flowclass classify a.pcap --heads -o heads.parquet",
            "flowclass match heads.parquet -o again.parquet",
        ),
        _READ,
    ),
    "judge": (
        (
            "flowclass judge run.parquet --registry r.fcr --policy p.toml -o new.parquet",
            "flowclass judge run.parquet --registry r.fcr --policy p.toml --at 2026-12-05",
        ),
        (*_READ, 10),
    ),
    "diff": (
        (
            "flowclass judge flows.parquet --registry r.fcr --policy p.toml -o if.parquet",
            "flowclass diff flows.parquet if.parquet --registry r.fcr",
            "flowclass diff flows.parquet if.parquet --json | jq '.changes[0]'",
        ),
        (0, 4, 5),
    ),
    "explain": (
        (
            "flowclass explain 7e8e7278 --in flows.parquet",
            "flowclass explain 7e8e7278 --in flows.parquet --pcap capture.pcapng",
        ),
        (0, 3, 4),
    ),
    "protocols": (
        (
            "flowclass protocols",
            "flowclass protocols wireguard",
            "flowclass protocols openvpn --json | jq '.protocols[0].fingerprints'",
        ),
        (0, 2),
    ),
    "report": (
        (
            "flowclass report run.parquet",
            "flowclass report run.parquet --registry r.fcr -o report.html",
        ),
        _READ,
    ),
    "verify": (
        (
            "flowclass verify capture.pcapng",
            "flowclass verify /captures/2026-11 --json | jq .unexplained",
            "zcat big.pcap.gz | flowclass verify - --timeout 1h",
        ),
        (0, 3, 4, 5, 10),
    ),
    "evaluate": (
        (
            "flowclass evaluate datasets/captures --labels datasets/labels.jsonl",
            "flowclass evaluate captures --labels labels.jsonl --peer ndpi --json",
            "flowclass evaluate captures --labels labels.jsonl --require-no-false",
        ),
        (0, 3, 4, 5, 10),
    ),
    "schema": (
        (
            "flowclass schema",
            "flowclass schema --format json | jq -r '.columns[].name'",
        ),
        (0,),
    ),
    "completion": (
        (
            'eval "$(flowclass completion bash)"',
            "flowclass completion zsh > ~/.zfunc/_flowclass",
            "flowclass completion fish > ~/.config/fish/completions/flowclass.fish",
        ),
        (0, 2),
    ),
    "registry": (
        (
            "flowclass registry check list.csv",
            "flowclass registry build list.csv -o registry.fcr",
            "flowclass registry lookup 203.0.113.12 --registry registry.fcr",
        ),
        _READ,
    ),
    "registry check": (("flowclass registry check list.csv", "flowclass registry check list.csv --json"), (0, 4, 5)),
    "registry lookup": (
        (
            "flowclass registry lookup 203.0.113.12 2001:db8::1 --registry registry.fcr",
            "flowclass registry lookup 203.0.113.12 --registry list.csv --at 2026-11-23",
            "cut -d, -f3 list.csv | flowclass registry lookup - --registry r.fcr --json",
        ),
        (0, 3, 5),
    ),
    "registry build": (
        (
            "flowclass registry build list.csv -o registry.fcr",
            "flowclass registry build a.csv b.jsonl --scope own.txt -o registry.fcr",
        ),
        (0, 5, 6),
    ),
    "registry show": (("flowclass registry show registry.fcr", "flowclass registry show list.csv --json"), (0, 5)),
    "registry diff": (("flowclass registry diff old.fcr new.fcr",), (0, 5)),
    "registry apply": (
        (
            "flowclass registry apply 203.0.113.9 --desk desk.sqlite --who 'A. Clerk' \\",
            "    --category 'organization: retail' --protocols wireguard --company F-1 \\",
            "    --taxpayer F-2 --identity F-3",
        ),
        _DESK,
    ),
    "registry amend": (
        (
            "flowclass registry amend ORG-2026-0001 203.0.113.10 --desk desk.sqlite \\",
            "    --who 'A. Clerk' --why 'they moved'",
        ),
        _DESK,
    ),
    "registry approve": (
        ("flowclass registry approve ORG-2026-0001 --desk desk.sqlite --who 'B. Head'",),
        _DESK,
    ),
    "registry reject": (
        (
            "flowclass registry reject ORG-2026-0001 --desk desk.sqlite \\",
            "    --who 'B. Head' --why 'no proof of identity'",
        ),
        _DESK,
    ),
    "registry suspend": (
        (
            "flowclass registry suspend ORG-2026-0001 --desk desk.sqlite \\",
            "    --who 'B. Head' --why 'under inquiry'",
        ),
        _DESK,
    ),
    "registry revoke": (
        (
            "flowclass registry revoke ORG-2026-0001 --desk desk.sqlite \\",
            "    --who 'B. Head' --why 'dissolved'",
        ),
        _DESK,
    ),
    "registry renew": (
        (
            "flowclass registry renew ORG-2026-0001 --desk desk.sqlite \\",
            "    --who 'B. Head' --valid-until 2027-12-31",
        ),
        _DESK,
    ),
    "registry history": (("flowclass registry history ORG-2026-0001 --desk desk.sqlite",), _DESK),
    "registry import": (
        ("flowclass registry import list.csv --desk desk.sqlite --who 'A. Clerk'",),
        _DESK,
    ),
    "registry export": (
        (
            "flowclass registry export --desk desk.sqlite -o registry.csv",
            "flowclass registry export --desk desk.sqlite --at 2026-11-01 -o then.csv",
        ),
        (0, 5, 6),
    ),
    "registry stats": (("flowclass registry stats --desk desk.sqlite",), _DESK),
}
"""By command: lines of examples (one that ends with a backslash goes on in the next), and exit codes beside 1 and 2."""


def taught(path: str, command: click.Command) -> click.Command:
    """Give a command whose help ends with its examples and exit codes.

    Parameters
    ----------
    path : str
        Its name behind ``flowclass``, e.g. ``registry check``.
    command : click.Command
        The command; its epilog is set.
    """
    if path in EXAMPLES and command.epilog is None:
        lines, codes = EXAMPLES[path]
        told = "\n".join(f"  {line}" for line in lines)
        meanings = "\n".join(f"  {code:<4} {CODES[code]}" for code in sorted({*codes, 1, 2}))
        command.epilog = f"\b\nExamples:\n{told}\n\n\b\nExit codes:\n{meanings}"
    return command
