"""Clients of the testbed's own for XMPP (slixmpp) and NATS (nats-py): SERVICE ADDRESS PORT."""

from __future__ import annotations

import asyncio
import ssl
import sys

import nats
import slixmpp


async def talk_xmpp(address: str, port: int) -> None:
    """Log in and send oneself a message."""
    client = slixmpp.ClientXMPP("ada@example.org", "green-apple-7")
    done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def started(_: object) -> None:
        client.send_presence()
        await client.get_roster()
        client.send_message(mto=slixmpp.JID("ada@example.org"), mbody="The plums are ripe.")

    def took(message: slixmpp.Message) -> None:
        if not done.done():
            done.set_result(str(message["body"]))

    client.add_event_handler("session_start", started)
    client.add_event_handler("message", took)
    client.ssl_context.check_hostname = False
    client.ssl_context.verify_mode = ssl.CERT_NONE
    client.enable_direct_tls = False  # a TLS hello is no XMPP
    client.enable_plaintext = True
    client["feature_mechanisms"].unencrypted_plain = True
    client["feature_mechanisms"].unencrypted_scram = True
    client.connect(host=address, port=port)
    await asyncio.wait_for(done, 15)
    await client.disconnect()


async def talk_nats(address: str, port: int) -> None:
    """Take what one publishes oneself."""
    shown = f"[{address}]" if ":" in address else address
    client = await nats.connect(f"nats://{shown}:{port}")
    wanted = await client.subscribe("towns.*")
    for town in ("ulm", "linz", "wien"):
        await client.publish(f"towns.{town}", f"{town} is on the river".encode())
        await wanted.next_msg(timeout=5)
    await client.drain()


if __name__ == "__main__":
    service, where, number = sys.argv[1:]
    asyncio.run({"xmpp": talk_xmpp, "nats": talk_nats}[service](where, int(number)))
