"""Writes the recording to standard output, or the table of its incidents.

python -m tests.outage > outage.ndjson
python -m tests.outage table
"""

from __future__ import annotations

import sys

from tests.outage.night import table
from tests.outage.recording import lines

sys.stdout.buffer.write(f"{table()}\n".encode() if sys.argv[1:] == ["table"] else lines())
