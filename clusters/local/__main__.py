"""For development: `python -m clusters.local` is `python -m clusters`, with the ledger in the keyspace."""

from __future__ import annotations

import sys

from clusters.__main__ import main
from harness.load.schema import LEDGER_SQL, LEDGER_VSCHEMA

if __name__ == "__main__":
    sys.exit(main(schema=(LEDGER_SQL,), vschema=LEDGER_VSCHEMA))
