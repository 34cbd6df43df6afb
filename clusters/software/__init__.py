"""Find, install, pin and verify the programs that clusters are made of."""

from clusters.software.etcd import etcd
from clusters.software.installs import EtcdInstall, MysqlInstall, SysbenchInstall, VitessInstall
from clusters.software.mysql import mysql
from clusters.software.mysql import series_for as mysql_series_for
from clusters.software.progress import Progress, Silent, shown
from clusters.software.releases import DEFAULT_RELEASE, RELEASES
from clusters.software.sources import Sources
from clusters.software.vitess import PROGRAMS, vitess

__all__ = [
    "DEFAULT_RELEASE",
    "PROGRAMS",
    "RELEASES",
    "EtcdInstall",
    "MysqlInstall",
    "Progress",
    "Silent",
    "Sources",
    "SysbenchInstall",
    "VitessInstall",
    "etcd",
    "mysql",
    "mysql_series_for",
    "shown",
    "vitess",
]
