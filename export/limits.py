"""Every bound of an export in one place. A message that refuses something names the bound it hit."""

from typing import Final

# Bytes of one archive or file that is fetched: RT-DETR-H_layout, the largest of PaddleX's networks here, has 470 MB.
MAX_FETCHED_BYTES: Final = 1024 * 1024 * 1024
# Bytes of all files that are unpacked from an archive. PaddleX's archives are not compressed: about their own size.
MAX_UNPACKED_BYTES: Final = 1024 * 1024 * 1024
# Members of an archive, folders included. PaddleX's have four or five; files that are of no use here may come along.
MAX_ARCHIVE_MEMBERS: Final = 100
