// Answers of all pipelines in one form: a list of pages.
//
// page: {picture, fallback, turn, size, outlines, notes, groups}
//   picture: base64 or a Blob, null if there is none; fallback: base64 of what the server drew, for files that the browser
//   cannot show; turn: degrees counterclockwise by which the picture is to be turned; size: [width, height] in pixels of
//   what the coordinates are for, null if it is the picture's own; outlines: whether they lie on the picture;
//   notes: [[key, values]]; groups: [{title: [key, values] or null, entries}].
// entry: {kind: "line", text, score, polygon: [[x, y]], words: [{text, box}]}
//   | {kind: "box", text, score, box: [x1, y1, x2, y2]} | {kind: "person", number, score, poseScore, box, joints: [[x, y, score]]}

/** The pages of an answer of a pipeline to a file. Throws TypeError for an answer of another shape. */
export function toPages(pipeline, answer, file) {
  return READERS[pipeline](answer.result, file);
}

/** All entries of a page, in the order in which they are listed and numbered. */
export function entriesOf(page) {
  return page.groups.flatMap(({ entries }) => entries);
}

const READERS = {
  OCR: ({ ocrResults, dataInfo }) =>
    ocrResults.map(({ prunedResult, inputImage, docPreprocessingImage }, index) => ({
      ...shownPage(sizeOf(dataInfo, index), inputImage, prunedResult.doc_preprocessor_res, docPreprocessingImage),
      groups: [{ title: null, entries: linesOf(prunedResult) }],
    })),

  seal_recognition: ({ sealRecResults, dataInfo }) =>
    sealRecResults.map(({ prunedResult, inputImage, outputImages }, index) => ({
      ...shownPage(sizeOf(dataInfo, index), inputImage, prunedResult.doc_preprocessor_res, outputImages?.preprocessed_img),
      groups: sealGroups(prunedResult),
    })),

  human_keypoint_detection: ({ persons, image }, file) => [
    { ...PLAIN, picture: file, fallback: image ?? null, groups: [{ title: null, entries: persons.map(personOf) }] },
  ],

  doc_preprocessor: ({ docPreprocessingResults }) =>
    docPreprocessingResults.map(({ prunedResult, outputImage }) => ({
      ...PLAIN,
      picture: outputImage ?? null,
      notes: turnOf(prunedResult) ? [["angleNote", { angle: turnOf(prunedResult) }]] : [],
      groups: [],
    })),
};

const PLAIN = { picture: null, fallback: null, turn: 0, size: null, outlines: true, notes: [] };

function sizeOf(dataInfo, index) {
  const { width, height } = dataInfo.pages?.[index] ?? dataInfo;
  return width > 0 && height > 0 ? [width, height] : null;
}

// -1 is for a page whose orientation was not looked at.
function turnOf(preparation) {
  return Math.max(preparation?.angle ?? 0, 0);
}

// Coordinates are for the prepared page. A turned one we can make; a flattened one only the server has.
function shownPage(size, picture, preparation, flattened) {
  if (preparation?.model_settings?.use_doc_unwarping) {
    return { ...PLAIN, picture: flattened ?? null, outlines: false, notes: [["flattenedNote", {}]] };
  }
  const turn = turnOf(preparation);
  return {
    ...PLAIN,
    picture: picture ?? null,
    turn,
    size: size && turn % 180 === 90 ? [...size].reverse() : size,
    notes: turn ? [["angleNote", { angle: turn }]] : [],
  };
}

function linesOf({ rec_texts, rec_scores, rec_polys, text_word, text_word_boxes }, [x, y] = [0, 0]) {
  return rec_texts.map((text, index) => ({
    kind: "line",
    text,
    score: rec_scores[index],
    polygon: rec_polys[index].map(([px, py]) => [px + x, py + y]),
    words: (text_word_boxes?.[index] ?? []).map((box, word) => ({ text: text_word?.[index]?.[word] ?? "", box })),
  }));
}

// The k-th seal is the k-th box with the label "seal"; its lines are relative to the box. Without layout detection the whole
// page is one seal.
function sealGroups({ layout_det_res, seal_res_list }) {
  if (!layout_det_res) return seal_res_list.map((lines) => ({ title: ["wholePage", {}], entries: linesOf(lines) }));
  const boxes = layout_det_res.boxes.map(boxOf);
  const seals = boxes.filter(isSeal);
  const groups = seals.map((box, index) => {
    const lines = seal_res_list[index];
    return {
      title: ["seal", { number: index + 1 }],
      entries: [box, ...(lines ? linesOf(lines, box.box.slice(0, 2).map(Math.trunc)) : [])],
    };
  });
  const others = boxes.filter((box) => !isSeal(box));
  return others.length ? [...groups, { title: ["regions", {}], entries: others }] : groups;
}

function isSeal({ text }) {
  return text.toLowerCase() === "seal";
}

function boxOf({ label, score, coordinate }) {
  return { kind: "box", text: label, score, box: coordinate };
}

function personOf({ bbox, kpts, detScore, kptScore }, index) {
  return { kind: "person", number: index + 1, score: detScore, poseScore: kptScore, box: bbox, joints: kpts };
}
