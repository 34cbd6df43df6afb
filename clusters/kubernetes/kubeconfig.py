"""The kubeconfig, as the `kubernetes` client reads it: contexts, certificates, tokens, login programs."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

from harness.base.errors import PlanError

WHAT_TO_DO = "set KUBECONFIG or name another context, or let `--kind` make a cluster"


def load(context: str, kubeconfig: str) -> tuple[Any, str, str, str]:
    """The client's configuration, the context's name and namespace, the file's absolute path ("" = none: we are in a
    pod). Raises PlanError."""
    from kubernetes import config as configs  # 0.2 s of imports, needed by this backend only
    from kubernetes.client import Configuration

    loaded = Configuration()
    where = kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    if not any(Path(part).expanduser().is_file() for part in where.split(os.pathsep)):
        if not context and not kubeconfig and "KUBERNETES_SERVICE_HOST" in os.environ:  # we are in a pod
            configs.load_incluster_config(client_configuration=loaded)
            return loaded, "in-cluster", _own_namespace(), ""
        raise PlanError(f"no Kubernetes cluster is configured ({where} is not there); {WHAT_TO_DO}")
    try:
        contexts, current = configs.list_kube_config_contexts(config_file=where)
        known = {row["name"]: row["context"] for row in contexts}
        chosen = context or current["name"]
        if chosen not in known:
            raise PlanError(f"{where} has no context {chosen!r}; it has {', '.join(sorted(known)) or 'none'}")
        configs.load_kube_config(config_file=where, context=chosen, client_configuration=loaded, persist_config=False)
    except (configs.ConfigException, KeyError, TypeError, ValueError) as error:
        raise PlanError(f"the kubeconfig {where} cannot be used: {error}") from None
    absolute = os.pathsep.join(str(Path(part).expanduser().absolute()) for part in where.split(os.pathsep))
    return loaded, chosen, known[chosen].get("namespace") or "default", absolute


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
