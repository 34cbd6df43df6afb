"""etcd's own API, as far as Vitess leaves it to others: the history that an etcd keeps and throws away.

Over its JSON gateway (etcd 3.4 and later: /v3/kv/…), keys and values in base64.
"""

from __future__ import annotations

import base64

import aiohttp

from harness.base.errors import ClusterError

ANSWER_WITHIN_S = 5.0
KEY = base64.b64encode(b"/vtchaos/compaction").decode()  # beside everything that Vitess reads


async def compact(address: tuple[str, int]) -> int:
    """Throw all history away but the present, as --auto-compaction-retention does; the revision that is left.

    A watch that is in force goes on. One that is resumed on a new connection, from a revision before this one, is
    refused ("required revision has been compacted"). Raises ClusterError.
    """
    timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    url = f"http://{address[0]}:{address[1]}/v3/kv"
    try:
        async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
            revision = 0
            for _ in range(2):  # so that the present is later than what anybody has seen
                async with session.post(f"{url}/put", json={"key": KEY, "value": KEY}) as answer:
                    revision = int((await answer.json())["header"]["revision"])
            async with session.post(f"{url}/compaction", json={"revision": str(revision), "physical": True}) as answer:
                await answer.read()
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
        raise ClusterError(f"etcd was not compacted: {type(error).__name__} {error}") from None
    return revision
