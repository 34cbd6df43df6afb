"""The kinds of Kubernetes objects that are used here, and their paths in the API. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.base.errors import ClusterError

Manifest = dict[str, Any]
"""An object as its JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of object: `plural` is its name in paths and rights."""

    kind: str
    plural: str
    api: str = "v1"  # apiVersion
    namespaced: bool = True

    @property
    def group(self) -> str:
        """ "" for the core group."""
        return self.api.rpartition("/")[0]

    def path(self, *, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Without a namespace a namespaced kind's path is that of all namespaces."""
        root = f"/apis/{self.api}" if self.group else f"/api/{self.api}"
        within = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{within}/{self.plural}" + "".join(f"/{part}" for part in (name, subresource) if part)


NAMESPACE = Resource(kind="Namespace", plural="namespaces", namespaced=False)
NODE = Resource(kind="Node", plural="nodes", namespaced=False)
POD = Resource(kind="Pod", plural="pods")
SERVICE = Resource(kind="Service", plural="services")
ENDPOINTS = Resource(kind="Endpoints", plural="endpoints")
CONFIG_MAP = Resource(kind="ConfigMap", plural="configmaps")
SECRET = Resource(kind="Secret", plural="secrets")
SERVICE_ACCOUNT = Resource(kind="ServiceAccount", plural="serviceaccounts")
VOLUME = Resource(kind="PersistentVolume", plural="persistentvolumes", namespaced=False)
VOLUME_CLAIM = Resource(kind="PersistentVolumeClaim", plural="persistentvolumeclaims")
EVENT = Resource(kind="Event", plural="events")
STATEFUL_SET = Resource(kind="StatefulSet", plural="statefulsets", api="apps/v1")
DEPLOYMENT = Resource(kind="Deployment", plural="deployments", api="apps/v1")
JOB = Resource(kind="Job", plural="jobs", api="batch/v1")
STORAGE_CLASS = Resource(kind="StorageClass", plural="storageclasses", api="storage.k8s.io/v1", namespaced=False)
NETWORK_POLICY = Resource(kind="NetworkPolicy", plural="networkpolicies", api="networking.k8s.io/v1")
DISRUPTION_BUDGET = Resource(kind="PodDisruptionBudget", plural="poddisruptionbudgets", api="policy/v1")
ENDPOINT_SLICE = Resource(kind="EndpointSlice", plural="endpointslices", api="discovery.k8s.io/v1")
ROLE = Resource(kind="Role", plural="roles", api="rbac.authorization.k8s.io/v1")
ROLE_BINDING = Resource(kind="RoleBinding", plural="rolebindings", api="rbac.authorization.k8s.io/v1")
CLUSTER_ROLE = Resource(kind="ClusterRole", plural="clusterroles", api="rbac.authorization.k8s.io/v1", namespaced=False)
CLUSTER_ROLE_BINDING = Resource(
    kind="ClusterRoleBinding", plural="clusterrolebindings", api="rbac.authorization.k8s.io/v1", namespaced=False
)
DEFINITION = Resource(
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    api="apiextensions.k8s.io/v1",
    namespaced=False,
)
VITESS_CLUSTER = Resource(kind="VitessCluster", plural="vitessclusters", api="planetscale.com/v2")

RESOURCES = (
    NAMESPACE,
    NODE,
    POD,
    SERVICE,
    ENDPOINTS,
    CONFIG_MAP,
    SECRET,
    SERVICE_ACCOUNT,
    VOLUME,
    VOLUME_CLAIM,
    EVENT,
    STATEFUL_SET,
    DEPLOYMENT,
    JOB,
    STORAGE_CLASS,
    NETWORK_POLICY,
    DISRUPTION_BUDGET,
    ENDPOINT_SLICE,
    ROLE,
    ROLE_BINDING,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    DEFINITION,
    VITESS_CLUSTER,
)


def resource_of(manifest: Mapping[str, Any]) -> Resource:
    """Raises ClusterError for a kind that is not in the table."""
    wanted = manifest["apiVersion"], manifest["kind"]
    for resource in RESOURCES:
        if (resource.api, resource.kind) == wanted:
            return resource
    raise ClusterError(f"objects of the kind {wanted[1]} ({wanted[0]}) are not known here")


def name_of(manifest: Mapping[str, Any]) -> str:
    return str(manifest["metadata"]["name"])


def namespace_of(manifest: Mapping[str, Any]) -> str:
    """ "" for what is in none."""
    return str(manifest["metadata"].get("namespace", ""))


def labels_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    return dict(manifest["metadata"].get("labels") or {})


def annotations_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    return dict(manifest["metadata"].get("annotations") or {})
