// Files on their way to the server: their kind, size and base64.

import { Problem } from "./api.js";

// Bytes of a request besides the file.
const REST_OF_BODY = 4096;
const FIRST_BYTES = 1024;
// PDFs may have something in front.
const KINDS = [
  ["image", /^\xff\xd8\xff/],
  ["image", /^\x89PNG\r\n/],
  ["image", /^BM/],
  ["image", /^(II[*+]\0|MM\0[*+])/],
  ["image", /^RIFF[^]{4}WEBP/],
  ["pdf", /%PDF-/],
];

/** The kind of a file by its first bytes: "image" or "pdf". Throws a Problem for others. */
export async function kindOf(file) {
  const start = await readable(file.slice(0, FIRST_BYTES).arrayBuffer());
  const text = String.fromCharCode(...new Uint8Array(start));
  const [kind] = KINDS.find(([, signature]) => signature.test(text)) ?? [];
  if (!kind) throw new Problem("unsupported", { values: { file: file.name } });
  return kind;
}

/** The largest file, bytes, whose base64 fits into a body. */
export function largestFile(maxBodyBytes) {
  return Math.floor((maxBodyBytes - REST_OF_BODY) / 4) * 3;
}

/** Throw a Problem for a file whose base64 does not fit into a body. */
export function checkSize(file, maxBodyBytes) {
  const limit = largestFile(maxBodyBytes);
  if (file.size > limit) {
    const values = { size: sizeInWords(file.size, Math.ceil), limit: sizeInWords(limit, Math.floor) };
    throw new Problem("tooLarge", { values });
  }
}

/** A file in base64. */
export async function toBase64(file) {
  const url = await readable(dataUrl(file));
  return url.slice(url.indexOf(",") + 1);
}

/** Bytes in words: "12.3 kB". */
export function sizeInWords(bytes, round = Math.round) {
  const units = ["B", "kB", "MB", "GB"];
  const step = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  return `${round((bytes / 1000 ** step) * 10) / 10} ${units[step]}`;
}

// A folder, or a file that went away, cannot be read.
async function readable(reading) {
  try {
    return await reading;
  } catch {
    throw new Problem("unreadable");
  }
}

function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
