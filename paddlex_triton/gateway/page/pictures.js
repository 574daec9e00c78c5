// The picture of a page: loaded, and turned where the page was turned.

/**
 * Load the picture of a page, once: {url, size: [width, height], outlines, notes}.
 *
 * url is null where there is no picture; size is then the page's, and null where that is not known either.
 */
export function loadPicture(page) {
  page.loaded ??= load(page);
  return page.loaded;
}

/** Give back the memory of pages that are not shown any more. */
export async function release(pages) {
  for (const page of pages) {
    const { url } = (await page.loaded) ?? {};
    if (url?.startsWith("blob:")) URL.revokeObjectURL(url);
  }
}

async function load({ picture, fallback, turn, size, outlines, notes }) {
  const image = await decode(picture);
  if (image) {
    const shown = turn ? await turned(image, turn) : image;
    return { url: shown.src, size: size ?? [shown.naturalWidth, shown.naturalHeight], outlines, notes };
  }
  const drawn = await decode(fallback);
  if (drawn) {
    const natural = [drawn.naturalWidth, drawn.naturalHeight];
    return { url: drawn.src, size: natural, outlines: false, notes: [...notes, ["drawnNote", {}]] };
  }
  return { url: null, size, outlines: outlines && size !== null, notes: [...notes, ["noPicture", {}]] };
}

// A loaded image of base64 or of a Blob; null for null, and for what the browser cannot show.
async function decode(picture) {
  if (!picture) return null;
  const image = new Image();
  image.src = picture instanceof Blob ? URL.createObjectURL(picture) : `data:${mediaType(picture)};base64,${picture}`;
  try {
    await image.decode();
    return image;
  } catch {
    if (picture instanceof Blob) URL.revokeObjectURL(image.src);
    return null;
  }
}

function mediaType(base64) {
  return base64.startsWith("iVBOR") ? "image/png" : "image/jpeg";
}

// Turned counterclockwise by 90, 180 or 270 degrees.
async function turned(image, degrees) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = degrees % 180 === 90 ? [height, width] : [width, height];
  const context = canvas.getContext("2d");
  context.translate(canvas.width / 2, canvas.height / 2);
  context.rotate((-degrees * Math.PI) / 180);
  context.drawImage(image, -width / 2, -height / 2);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  return decode(blob);
}
