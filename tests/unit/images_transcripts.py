"""What containers print when they are asked for their programs (clusters.images.asked)."""

from __future__ import annotations

from clusters.images.asked import MARK

_HELP = {
    "vtctld": "Flags:\n      --port int    x\n      --grpc-port int   x\n      --bind-address string   x\n",
    "vttablet": "Flags:\n      --port int    x\n      --tablet-path string   x\n      --bind-address string   x\n",
    "vtgate": "Flags:\n      --port int    x\n      --buffer-window duration   x\n      --bind-address string  x\n",
}
_MYSQL = {
    "path mysqld": "/usr/sbin/mysqld",
    "version mysqld": "/usr/sbin/mysqld  Ver 8.4.6 for Linux on x86_64 (MySQL Community Server - GPL)",
    "folders": "ls: cannot access '/usr/lib/plugin': No such file or directory\n"
    "/usr/lib/mysql/plugin\n/usr/share/mysql-8.4/english",
    "plugins": "/usr/lib/mysql/plugin:\nauth_socket.so\nsemisync_replica.so\nsemisync_source.so",
}


def transcript(**answers: str) -> str:
    return "".join(f"{MARK}{what}\n{answer}\n" for what, answer in answers.items())


def vitess(version: str, **more: str) -> str:
    """As the published image of a release answers; `more`: other answers."""
    answers = {"user": "999", "nft": "", "path etcd": "readlink: missing operand", **_MYSQL}
    for name, text in _HELP.items():
        answers[f"path {name}"] = f"/vt/bin/{name}"
        answers[f"version {name}"] = f"{name} version Version: {version} (Git revision 0a1b2c branch 'HEAD')"
        answers[f"help {name}"] = text
    return transcript(**(answers | more))


LITE = vitess("24.0.3")
ETCD = transcript(**{"user": "999", "path etcd": "/opt/bitnami/etcd/bin/etcd", "version etcd": "etcd Version: 3.6.1"})
