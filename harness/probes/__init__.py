"""What is looked at while a run goes on, each source into its own file of samples.

`STANDARD` is what every experiment wants.
"""

from harness.model import Role
from harness.probes.host import HostProbe
from harness.probes.loglines import LogProbe
from harness.probes.mysqlds import MysqldProbe
from harness.probes.pauses import PauseProbe
from harness.probes.topology import TopologyProbe
from harness.probes.variables import TABLET_VARS, VTCTLD_VARS, VTGATE_VARS, VarsProbe
from harness.probes.workflows import WorkflowProbe

STANDARD = (
    VarsProbe(name="vtgate", role=Role.VTGATE, keep=VTGATE_VARS),
    VarsProbe(name="vttablet", role=Role.VTTABLET, keep=TABLET_VARS),
    VarsProbe(name="vtctld", role=Role.VTCTLD, keep=VTCTLD_VARS),
    MysqldProbe(),
    TopologyProbe(),
    HostProbe(),
    PauseProbe(),
    LogProbe(),
)

__all__ = [
    "STANDARD",
    "HostProbe",
    "LogProbe",
    "MysqldProbe",
    "PauseProbe",
    "TopologyProbe",
    "VarsProbe",
    "WorkflowProbe",
]
