"""A plant's server and client, for Modbus (pymodbus) and OPC UA (asyncua): SERVICE ROLE ADDRESS PORT."""

from __future__ import annotations

import asyncio
import sys

from asyncua.client.client import Client
from asyncua.server.server import Server
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import StartAsyncTcpServer


async def serve_modbus(address: str, port: int) -> None:
    """Serve a hundred registers until the end."""
    block = ModbusSequentialDataBlock(1, list(range(100)))
    await StartAsyncTcpServer(ModbusServerContext(ModbusDeviceContext(hr=block, ir=block)), address=(address, port))


async def ask_modbus(address: str, port: int) -> None:
    """Read and write some registers."""
    client = AsyncModbusTcpClient(address, port=port)
    await client.connect()
    for place in range(0, 40, 8):
        await client.read_holding_registers(place, count=8)
        await client.write_register(place, place * 2)
        await client.read_input_registers(place, count=4)
    client.close()


async def serve_opcua(address: str, port: int) -> None:
    """Serve one variable until the end."""
    server = Server()
    await server.init()
    server.set_endpoint(_url(address, port))
    number = await server.register_namespace("urn:example:plant")
    tank = await server.nodes.objects.add_object(number, "Tank")
    await tank.add_variable(number, "Level", 4.5)
    async with server:
        print("serving", flush=True)
        await asyncio.Event().wait()


async def ask_opcua(address: str, port: int) -> None:
    """Find the variable and read it."""
    async with Client(_url(address, port)) as client:
        number = await client.get_namespace_index("urn:example:plant")
        level = await client.nodes.objects.get_child([f"{number}:Tank", f"{number}:Level"])
        for _ in range(5):
            await level.read_value()


def _url(address: str, port: int) -> str:
    shown = f"[{address}]" if ":" in address else address
    return f"opc.tcp://{shown}:{port}/plant/"


_DO = {
    ("modbus", "serve"): serve_modbus,
    ("modbus", "ask"): ask_modbus,
    ("opcua", "serve"): serve_opcua,
    ("opcua", "ask"): ask_opcua,
}

if __name__ == "__main__":
    service, role, where, listening = sys.argv[1:]
    asyncio.run(_DO[service, role](where, int(listening)))
