"""Every bound of the service in one place. A message that refuses something names the bound it hit."""

from typing import Final

# Encoded bytes of one image: Triton's own default for an HTTP body (64 MiB), so that gRPC and HTTP agree.
MAX_IMAGE_BYTES: Final = 64 * 1024 * 1024
# Pixels of one page after decoding: PaddleX's own limit (Pillow's decompression bomb bound, doubled).
MAX_IMAGE_PIXELS: Final = 178_956_970
# Longest side of one page, pixels: OpenCV warps nothing wider, and quads are int16. PaddleX fails beyond it.
MAX_IMAGE_SIDE: Final = 32_766
# Bytes of the JSON in `params`: the longest legitimate one (a threshold per layout class) is under 2 KiB.
MAX_PARAMS_BYTES: Final = 64 * 1024
# Characters of an error message. gRPC sends it percent-encoded in a header, of which a peer takes 16 KiB at most: nine
# bytes for a Chinese character, and room for what Triton puts in front.
MAX_MESSAGE_CHARACTERS: Final = 1500
# Pixels of all lines cut from one page: those of one page can overlap, not much more than twice.
MAX_CROP_PIXELS: Final = 2 * MAX_IMAGE_PIXELS
# Pixels of the crops of one page that PaddleX's straightening pastes the whole page into (specks): one on a page of 4
# megapixels, or ten on a seal of 650 x 650.
MAX_PASTED_PIXELS: Final = 64 * 1024 * 1024
# Longest side and most pixels a detector is fed. PaddleX stops at sides of 4000 unless told otherwise: the same area is
# allowed in other shapes. ONNX Runtime keeps the memory of the largest input: PP-OCRv4_mobile_det 2.6 GB
# for the largest page.
MAX_DETECTION_SIDE: Final = 8000
MAX_DETECTION_PIXELS: Final = 4000 * 4000
# Pixels of what a detector is fed for all regions of one page: 236 seals at the pipeline's 736 pixels a side.
MAX_REGIONS_DETECTION_PIXELS: Final = 8 * MAX_DETECTION_PIXELS
# Pixels of a page that is flattened: A4 at 600 dpi has 35 million. The network works on the page as it is, in float32.
MAX_UNWARPING_PIXELS: Final = 40_000_000
# Pixels of a page resized for the classifier of its orientation, 256 on the shorter side: of one a thousand times as
# long as wide.
MAX_CLASSIFICATION_PIXELS: Final = 256 * 256 * 1000
# Text lines taken from one region, PaddleX's `max_candidates`: what detectors of PP-OCRv6 ask for, and what is taken
# where inference.yml asks for nothing.
MAX_CANDIDATES: Final = 3000
DEFAULT_CANDIDATES: Final = 1000
# Points of one polygon. DB's outlines have at most 500 vertices (they lie 0.002 of the contour's length apart); growing
# them rounds the corners: 1748 points are the most that shapes made for it gave.
MAX_POLYGON_POINTS: Final = 4096
# Regions of one page: the most boxes a layout network of PaddleX's gives (RT-DETR).
MAX_REGIONS: Final = 300
# People of one page: the most boxes a detector of PaddleX's gives (RT-DETR; PP-YOLOE and PicoDet stop at 100).
MAX_PEOPLE: Final = 300
# Width of a recogniser's input, pixels (PaddleX squeezes longer lines).
MAX_RECOGNITION_WIDTH: Final = 3200
# With tight padding: that width is a multiple of this, pixels, so that lines of like width share runs.
RECOGNITION_WIDTH_STEP: Final = 32
# With tight padding: the least such width. Single characters are misread in narrower inputs.
MIN_RECOGNITION_WIDTH: Final = 128
# Lines that are padded to a common width: as many as a recogniser takes in one run.
MAX_RECOGNITION_BATCH: Final = 32
# Seconds of one page's timeout: a day. Longer ones overflow the clocks of gRPC and of sockets; None is for no limit.
MAX_TIMEOUT_S: Final = 24 * 60 * 60
# Pages that a client has on their way at once: each has a thread, and up to 64 MiB of memory.
MAX_PAGES_IN_FLIGHT: Final = 256
# Bytes the client fetches from one URL: a scanned PDF of a few hundred pages.
MAX_DOWNLOAD_BYTES: Final = 256 * 1024 * 1024
# GPUs that a network is put on, and the bound of their ids: several times what one machine has.
MAX_GPUS: Final = 64
# Bytes of a pipeline file, and what it holds once its aliases are followed: PaddleX's own have 2 KiB and 60 values.
MAX_PIPELINE_FILE_BYTES: Final = 1024 * 1024
MAX_PIPELINE_FILE_VALUES: Final = 10_000
# Bytes of a network's inference.yml: 256 KiB with the characters of the largest recogniser.
MAX_INFERENCE_YML_BYTES: Final = 4 * 1024 * 1024
