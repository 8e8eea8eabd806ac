"""Compresses the function's executable for `provisioner/build.rs`: embed.py EXECUTABLE ZIP

The zip has the same bytes each time, so that the program has, too. It is not the package: the program makes that.
"""

import io
import sys
import zipfile
from pathlib import Path

executable, target = map(Path, sys.argv[1:])
compressed = io.BytesIO()
with zipfile.ZipFile(compressed, "w") as archive:
    archive.writestr(zipfile.ZipInfo(executable.name), executable.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)
# A file that is written again would make cargo compile the program again.
if not target.exists() or target.read_bytes() != compressed.getvalue():
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(compressed.getvalue())
