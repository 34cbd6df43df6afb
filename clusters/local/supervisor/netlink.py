"""A veth pair between this host and a network namespace, over rtnetlink: no `ip` program is needed.

Formats: linux/rtnetlink.h, linux/if_link.h, linux/veth.h.
"""

from __future__ import annotations

import os
import socket
import struct

_RTM_NEWLINK = 16
_RTM_DELLINK = 17
_RTM_NEWADDR = 20
_RTM_NEWROUTE = 24
_NLM_F_REQUEST = 1
_NLM_F_ACK = 4
_NLM_F_EXCL = 0x200
_NLM_F_CREATE = 0x400
_NLMSG_ERROR = 2

_IFLA_IFNAME = 3
_IFLA_LINKINFO = 18
_IFLA_NET_NS_PID = 19
_IFLA_INFO_KIND = 1
_IFLA_INFO_DATA = 2
_VETH_INFO_PEER = 1
_RTA_DST = 1
_RTA_GATEWAY = 5
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFF_UP = 1


def _attribute(kind: int, payload: bytes) -> bytes:
    length = 4 + len(payload)
    return struct.pack("=HH", length, kind) + payload + b"\0" * (-length % 4)


def _link(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


def _request(kind: int, flags: int, body: bytes) -> None:
    """Send one request to the kernel and wait for its answer. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as channel:
        channel.bind((0, 0))
        header = struct.pack("=IHHII", 16 + len(body), kind, flags | _NLM_F_REQUEST | _NLM_F_ACK, 1, 0)
        channel.send(header + body)
        answer = channel.recv(65536)
    (answer_kind,) = struct.unpack_from("=H", answer, 4)
    (error,) = struct.unpack_from("=i", answer, 16)
    if answer_kind == _NLMSG_ERROR and error != 0:
        raise OSError(-error, os.strerror(-error))


def create_pair(name: str, peer: str, peer_pid: int) -> None:
    """A veth pair: `name` here, `peer` in the network namespace of the process `peer_pid`."""
    other = _link() + _attribute(_IFLA_IFNAME, peer.encode() + b"\0")
    other += _attribute(_IFLA_NET_NS_PID, struct.pack("=I", peer_pid))
    info = _attribute(_IFLA_INFO_KIND, b"veth") + _attribute(_IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, other))
    body = _link() + _attribute(_IFLA_IFNAME, name.encode() + b"\0") + _attribute(_IFLA_LINKINFO, info)
    _request(_RTM_NEWLINK, _NLM_F_CREATE | _NLM_F_EXCL, body)


def add_address(name: str, address: str, prefix: int) -> None:
    """An IPv4 address for an interface of our namespace, and the interface up."""
    index = socket.if_nametoindex(name)
    raw = socket.inet_aton(address)
    body = struct.pack("=BBBBi", socket.AF_INET, prefix, 0, 0, index)
    body += _attribute(_IFA_LOCAL, raw) + _attribute(_IFA_ADDRESS, raw)
    _request(_RTM_NEWADDR, _NLM_F_CREATE | _NLM_F_EXCL, body)
    bring_up(name)


def add_route(network: str, gateway: str) -> None:
    """A route of our namespace ("10.1.0.0/16") through a neighbour; it goes with the neighbour's interface."""
    address, _, prefix = network.partition("/")
    table, protocol, universe, unicast = 254, 4, 0, 1  # main, static
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, int(prefix), 0, 0, table, protocol, universe, unicast, 0)
    body += _attribute(_RTA_DST, socket.inet_aton(address)) + _attribute(_RTA_GATEWAY, socket.inet_aton(gateway))
    _request(_RTM_NEWROUTE, _NLM_F_CREATE | _NLM_F_EXCL, body)


def delete(name: str) -> None:
    """Remove an interface of our namespace, and the other end of its pair."""
    _request(_RTM_DELLINK, 0, _link(socket.if_nametoindex(name)))


def bring_up(name: str) -> None:
    """Set an interface of our namespace up."""
    _request(_RTM_NEWLINK, 0, _link(socket.if_nametoindex(name), _IFF_UP, _IFF_UP))
