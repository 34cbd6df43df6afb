"""Find, install, pin and verify the programs that clusters are made of."""

from clusters.software.etcd_server import etcd
from clusters.software.host import HostRow, host_permits
from clusters.software.installs import (
    EtcdInstall,
    MysqlInstall,
    NftInstall,
    SysbenchInstall,
    ToxiproxyInstall,
    VitessInstall,
)
from clusters.software.mysql_server import mysql
from clusters.software.mysql_server import series_for as mysql_series_for
from clusters.software.nft_program import nft
from clusters.software.progress import Progress, Silent, shown
from clusters.software.releases import DEFAULT_RELEASE, RELEASES
from clusters.software.sources import Sources
from clusters.software.stock import InventoryRow, inventory, verify
from clusters.software.sysbench_program import sysbench
from clusters.software.toxiproxy_program import toxiproxy
from clusters.software.vitess_release import PROGRAMS, vitess

__all__ = [
    "DEFAULT_RELEASE",
    "PROGRAMS",
    "RELEASES",
    "EtcdInstall",
    "HostRow",
    "InventoryRow",
    "MysqlInstall",
    "NftInstall",
    "Progress",
    "Silent",
    "Sources",
    "SysbenchInstall",
    "ToxiproxyInstall",
    "VitessInstall",
    "etcd",
    "host_permits",
    "inventory",
    "mysql",
    "mysql_series_for",
    "nft",
    "shown",
    "sysbench",
    "toxiproxy",
    "verify",
    "vitess",
]
