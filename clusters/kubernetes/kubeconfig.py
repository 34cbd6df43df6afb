"""The kubeconfig, as the `kubernetes` client reads it: contexts, certificates, tokens, login programs."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.errors import PlanError

WHAT_TO_DO = "set KUBECONFIG or name another context, or let `--kind` make a cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a kubeconfig says of one context."""

    configuration: Any  # the client's
    context: str
    namespace: str  # the context's own
    file: str = ""  # absolute; "" = none: we are in a pod
    cluster: str = ""  # the entries' names that the context refers to
    user: str = ""


def load(context: str, kubeconfig: str) -> Loaded:
    """`context` "": the current one. Raises PlanError."""
    from kubernetes import config as configs  # 0.2 s of imports, needed by this backend only
    from kubernetes.client import Configuration

    loaded = Configuration()
    where = kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    paths = [
        path for part in where.split(os.pathsep) if part and (path := Path(part).expanduser().absolute()).is_file()
    ]
    if not paths:
        if not context and not kubeconfig and "KUBERNETES_SERVICE_HOST" in os.environ:  # we are in a pod
            configs.load_incluster_config(client_configuration=loaded)
            return Loaded(configuration=loaded, context="in-cluster", namespace=_own_namespace())
        raise PlanError(f"no Kubernetes cluster is configured ({where} is not there); {WHAT_TO_DO}")
    files = {path: said for path in paths if (said := _read(path))}  # the client refuses an empty one; kubectl does not
    try:
        known, current = _contexts(files.values())
        chosen = context or current
        if not chosen:
            raise PlanError(f"{where} names no current context; {WHAT_TO_DO}")
        if chosen not in known:
            raise PlanError(f"{where} has no context {chosen!r}; it has {', '.join(sorted(known)) or 'none'}")
        row = known[chosen]
        usable = os.pathsep.join(map(str, files))
        configs.load_kube_config(config_file=usable, context=chosen, client_configuration=loaded, persist_config=False)
    except (configs.ConfigException, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise PlanError(f"the kubeconfig {where} cannot be used: {' '.join(str(error).split())}") from None
    return Loaded(
        configuration=loaded,
        context=chosen,
        namespace=str(row.get("namespace") or "default"),
        file=os.pathsep.join(str(Path(part).expanduser().absolute()) for part in where.split(os.pathsep)),
        cluster=str(row.get("cluster") or ""),
        user=str(row.get("user") or ""),
    )


def _read(path: Path) -> dict[str, Any]:
    """{} for an empty file. Raises PlanError."""
    import yaml  # type: ignore[import-untyped]  # needed by this backend only, like the client that brings it

    try:
        said = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise PlanError(f"the kubeconfig {path} cannot be read: {why}") from None
    if said is not None and not isinstance(said, dict):
        raise PlanError(f"the kubeconfig {path} cannot be used: it is a {type(said).__name__}, not a mapping of YAML")
    return said or {}


def _contexts(files: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Mapping[str, Any]], str]:
    """The contexts by name, and the current one's. As with kubectl the first file that says something wins: the client
    lets the last one's current-context win, an empty one included."""
    known: dict[str, Mapping[str, Any]] = {}
    current = ""
    for said in files:
        current = current or str(said.get("current-context") or "")
        for row in said.get("contexts") or ():
            known.setdefault(str(row["name"]), dict(row["context"]))
    return known, current


def _own_namespace() -> str:
    return Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text().strip()


def trust(configuration: Any) -> ssl.SSLContext:
    """Raises PlanError for a certificate that cannot be read."""
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    except (OSError, ssl.SSLError) as error:
        raise PlanError(f"a certificate of the kubeconfig cannot be used: {error}") from None
    # OpenSSL's newest strictness refuses certificate authorities that kubeadm and older tools have made
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def through_proxy(configuration: Any, server: str) -> bool:
    from kubernetes.client.rest import should_bypass_proxies

    return bool(configuration.proxy) and not should_bypass_proxies(server, configuration.no_proxy or "")
