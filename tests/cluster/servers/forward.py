"""A kubelet's port-forward: a WebSocket whose messages go to and come from a port of this machine."""

from __future__ import annotations

import http.server
import socket
import struct

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Request

__all__ = ["forward"]

PROTOCOL = "v4.channel.k8s.io"


def forward(handler: http.server.BaseHTTPRequestHandler, port: int, really: int) -> None:
    """Take the upgrade that was asked for, and pass on what the client sends until the port has answered.

    What is asked for as ``port`` of the pod is ``really`` another one here.
    """
    handler.close_connection = True
    ws = WSConnection(ConnectionType.SERVER)
    ws.initiate_upgrade_connection(
        [(k.lower().encode(), v.encode()) for k, v in handler.headers.items()], handler.path
    )
    asked = next(ws.events())
    assert isinstance(asked, Request), asked
    assert PROTOCOL in asked.subprotocols, asked
    out = handler.connection.sendall
    out(ws.send(AcceptConnection(subprotocol=PROTOCOL)))
    for channel in (0, 1):
        out(ws.send(BytesMessage(bytes([channel]) + struct.pack("<H", port))))
    try:
        with socket.create_connection(("127.0.0.1", really), timeout=10) as there:
            there.sendall(_first(ws, handler)[1:])
            while data := there.recv(16384):
                out(ws.send(BytesMessage(b"\0" + data)))
    except OSError as error:
        out(ws.send(BytesMessage(b"\1" + str(error).encode())))
    out(ws.send(CloseConnection(1000)))


def _first(ws: WSConnection, handler: http.server.BaseHTTPRequestHandler) -> bytes:
    """The first message of the client, which holds a whole request."""
    while True:
        ws.receive_data(handler.connection.recv(65536))
        for event in ws.events():
            if isinstance(event, BytesMessage):
                return bytes(event.data)
