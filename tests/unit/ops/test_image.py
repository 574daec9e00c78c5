"""Decoding: OpenCV's pixels for what is read, a message of its own for everything that is refused."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from paddlex_triton.errors import ImageTooLarge, InvalidImage
from paddlex_triton.limits import MAX_IMAGE_SIDE
from paddlex_triton.ops.image import decode_image
from paddlex_triton.ops.image_header import identify, jpeg_is_complete, read_size

HEIGHT, WIDTH = 40, 64


def picture() -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(cv2.resize(rng.integers(0, 256, (5, 8, 3), dtype=np.uint8), (WIDTH, HEIGHT)))


def encode(image_format: str, image: Image.Image | None = None, **options) -> bytes:
    buffer = io.BytesIO()
    (image or picture()).save(buffer, image_format, **options)
    return buffer.getvalue()


def encode_16_bit(suffix: str) -> bytes:
    values = np.asarray(picture()).astype(np.uint16) * 257
    return cv2.imencode(suffix, values)[1].tobytes()


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def bmp_header(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHIIIIII", 54, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


READ = {
    "jpeg": encode("JPEG"),
    "progressive jpeg": encode("JPEG", progressive=True),
    "grey jpeg": encode("JPEG", picture().convert("L")),
    "cmyk jpeg": encode("JPEG", picture().convert("CMYK")),
    "jpeg in a mpo": encode("MPO", save_all=True, append_images=[picture().rotate(90)]),
    "png": encode("PNG"),
    "png with alpha": encode("PNG", picture().convert("RGBA")),
    "grey png": encode("PNG", picture().convert("L")),
    "png with palette": encode("PNG", picture().convert("P")),
    "16-bit png": encode_16_bit(".png"),
    "animated png": encode("PNG", save_all=True, append_images=[picture().rotate(90)]),
    "bmp": encode("BMP"),
    "1-bit bmp": encode("BMP", picture().convert("1")),
    "webp": encode("WEBP"),
    "lossless webp": encode("WEBP", lossless=True),
    "webp with alpha": encode("WEBP", picture().convert("RGBA")),
    "tiff": encode("TIFF"),
    "lzw tiff": encode("TIFF", compression="tiff_lzw"),
    "16-bit tiff": encode_16_bit(".tiff"),
    "big-endian tiff": cv2.imencode(".tiff", np.asarray(picture()))[1].tobytes(),
    "big tiff": encode("TIFF", big_tiff=True),
    "tiff with frames": encode("TIFF", save_all=True, append_images=[picture().resize((9, 7))]),
}


@pytest.mark.parametrize("name", READ)
def test_pixels_are_opencvs(name):
    image = decode_image(READ[name])
    expected = cv2.imdecode(np.frombuffer(READ[name], np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("name", READ)
def test_header_tells_the_size(name):
    assert read_size(READ[name], identify(READ[name])) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    image = decode_image(encode("JPEG", quality=95, exif=oriented(orientation)))
    upright = cv2.imdecode(np.frombuffer(encode("JPEG", quality=95), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == ((WIDTH, HEIGHT, 3) if orientation >= 5 else (HEIGHT, WIDTH, 3))
    if orientation == 6:
        np.testing.assert_array_equal(image, np.rot90(upright, -1))


def test_one_pixel_is_an_image():
    assert decode_image(encode("PNG", Image.new("RGB", (1, 1), (10, 20, 30)))).tolist() == [[[30, 20, 10]]]


def test_bmp_from_top_to_bottom():
    rows = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(decode_image(bmp_header(4, -2) + rows.tobytes()), rows)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty: it has 0 bytes"),
        (b"Dear server,\nplease read this.\n", "the bytes are text"),
        ("亲爱的服务器".encode()[:-1], "the bytes are text"),
        (b'{"image": 1}', "the bytes are text"),
        (b"iVBORw0KGgoAAAANSUhEUg==", "base64"),
        (b"data:image/png;base64,iVBORw0KGgo", "base64"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "render its pages first"),
        (b"\r\n%PDF-1.4\n", "render its pages first"),
        (encode("GIF"), "GIF is not read here; allowed: JPEG, PNG, BMP, WebP, TIFF"),
        (encode("JPEG2000"), "JPEG 2000 is not read here"),
        (b"\x00\x00\x00\x20ftypavif" + bytes(20), "AVIF is not read here"),
        (b"\x00\x00\x00\x20ftypheic" + bytes(20), "HEIC is not read here"),
        (encode("WEBP", save_all=True, append_images=[picture().rotate(90)]), "animated WebP"),
        (b"\x00\x01\x02\x03\xff\xfe", "not an image of a known format"),
        (png_header(0, 20), "no pixels: it is 0x20"),
        (bmp_header(20, 0), "no pixels: it is 20x0"),
        (bmp_header(-20, 5), "no pixels: it is -20x5"),
        (png_header(30, 20), "the PNG cannot be decoded"),
        (b"\xff\xd8\xff", "the JPEG header is damaged or cut off"),
        (b"\xff\xd8" + b"\xff\xe0\x00\x02" * 4096 + READ["jpeg"][2:], "the JPEG header is damaged or cut off"),
        (b"BM", "the BMP header is damaged or cut off"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8X", "the WebP header is damaged or cut off"),
        (b"RIFF\x10\x00\x00\x00WEBPJUNK" + bytes(30), "the WebP header is damaged or cut off"),
        (b"II*\x00\xff\xff\xff\xff", "the TIFF header is damaged or cut off"),
        (b"II*\x00\x08\x00\x00\x00\x00\x00", "the TIFF header is damaged or cut off"),
        (b"II+\x00\x08\x00\x00\x00" + struct.pack("<QQ", 16, 2**60), "the TIFF header is damaged or cut off"),
        (b"II+\x00\x08\x00\x00\x00" + b"\xff" * 16, "the TIFF header is damaged or cut off"),
        (READ["png"][:12] + b"oops" + READ["png"][16:], "the PNG header is damaged or cut off"),
    ],
)
def test_refusals(data, message):
    with pytest.raises(InvalidImage, match=message):
        decode_image(data)


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", [name for name in READ if name not in ("tiff with frames", "jpeg in a mpo")])
def test_truncated(name, kept):
    with pytest.raises(InvalidImage, match=r"truncated|cut off"):
        decode_image(READ[name][: int(len(READ[name]) * kept)])


def test_truncated_jpeg_with_a_whole_thumbnail():
    exif = b"Exif\x00\x00" + encode("JPEG", picture().resize((16, 10)))
    assert exif.endswith(b"\xff\xd9")
    whole = encode("JPEG", exif=exif)
    assert decode_image(whole).shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(InvalidImage, match="no end-of-image marker"):
        decode_image(whole[:-2])


def test_truncated_progressive_jpeg_between_scans():
    data = READ["progressive jpeg"]
    scans = [place for place in range(len(data) - 1) if data[place : place + 2] == b"\xff\xda"]
    assert len(scans) > 2
    assert not jpeg_is_complete(data[: scans[-1]])
    assert jpeg_is_complete(data)


def test_jpeg_with_bytes_behind_its_end():
    np.testing.assert_array_equal(decode_image(READ["jpeg"] + b"more"), decode_image(READ["jpeg"]))


def test_jpeg_with_many_segments():
    data = b"\xff\xd8" + b"\xff\xe0\x00\x02" * 1000 + READ["jpeg"][2:]
    np.testing.assert_array_equal(decode_image(data), decode_image(READ["jpeg"]))


def test_damaged_pixels():
    data = bytearray(READ["png"])
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(InvalidImage, match="cannot be decoded"):
        decode_image(bytes(data))


def test_limit_of_bytes():
    data = READ["png"]
    assert decode_image(data, max_bytes=len(data)).shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(ImageTooLarge, match=f"{len(data)} bytes; at most {len(data) - 1} are allowed"):
        decode_image(data, max_bytes=len(data) - 1)


@pytest.mark.parametrize("name", ["jpeg", "png", "bmp", "webp", "lossless webp", "webp with alpha", "tiff", "big tiff"])
def test_limit_of_pixels(name):
    assert decode_image(READ[name], max_pixels=HEIGHT * WIDTH).shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(ImageTooLarge, match="2560 pixels; at most 2559 are allowed"):
        decode_image(READ[name], max_pixels=HEIGHT * WIDTH - 1)


def test_limit_of_sides():
    decode_image(READ["png"], max_side=WIDTH)
    with pytest.raises(ImageTooLarge, match=f"at most {WIDTH - 1} a side"):
        decode_image(READ["png"], max_side=WIDTH - 1)
    with pytest.raises(ImageTooLarge, match=f"at most {MAX_IMAGE_SIDE} a side"):
        decode_image(png_header(MAX_IMAGE_SIDE + 1, 1))


@pytest.mark.parametrize("header", [png_header(30_000, 30_000), bmp_header(30_000, -30_000)])
def test_a_bomb_is_refused_by_its_header(header):
    with pytest.raises(ImageTooLarge, match=r"30000x30000 .* 900000000 pixels; at most 178956970 are allowed"):
        decode_image(header)


def test_of_a_tiff_tag_given_twice_the_first_counts():
    # libtiff reads the first; a reader of the last would let the large image through.
    entries = [(256, 4, 1, 30_000), (257, 4, 1, 30_000), (256, 4, 1, 10), (257, 4, 1, 10)]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    with pytest.raises(ImageTooLarge, match="30000x30000"):
        decode_image(b"II*\x00" + struct.pack("<I", 8) + directory + bytes(4))


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(READ)), data=st.data())
def test_damage_anywhere_gives_an_image_or_our_error(name, data):
    damaged = bytearray(READ[name])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = decode_image(bytes(damaged), max_pixels=100_000)
    except (InvalidImage, ImageTooLarge) as error:
        assert str(error)
    else:
        assert image.dtype == np.uint8
        assert image.shape[0] * image.shape[1] <= 100_000


@settings(max_examples=300, deadline=None)
@given(start=st.sampled_from([b"", *(data[:16] for data in READ.values())]), rest=st.binary(max_size=200))
def test_any_bytes_give_our_error(start, rest):
    try:
        decode_image(start + rest, max_pixels=10_000)
    except (InvalidImage, ImageTooLarge) as error:
        assert str(error)
