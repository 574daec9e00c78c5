// The pipelines, and the fields of their requests. A field that is left alone is not sent: the server's default counts.

const PREPARATION = [toggle("useDocOrientationClassify"), toggle("useDocUnwarping")];

/**
 * name -> what the page knows of a pipeline.
 *
 * pdfs: it reads PDFs, in {file, fileType}; the others take {image}. nothing: the words for a page where nothing was found.
 * switches: fields that are always shown; more: the others.
 */
export const PIPELINES = {
  OCR: {
    pdfs: true,
    nothing: "nothing",
    switches: [...PREPARATION, toggle("useTextlineOrientation"), toggle("returnWordBox")],
    more: [
      side("textDetLimitSideLen"),
      choice("textDetLimitType", "min", "max"),
      share("textDetThresh"),
      share("textDetBoxThresh"),
      ratio("textDetUnclipRatio"),
      share("textRecScoreThresh"),
    ],
  },
  seal_recognition: {
    pdfs: true,
    nothing: "nothingSeals",
    switches: [...PREPARATION, toggle("useLayoutDetection"), toggle("layoutNms")],
    more: [
      share("layoutThreshold"),
      ratio("layoutUnclipRatio"),
      choice("layoutMergeBboxesMode", "large", "small", "union"),
      side("sealDetLimitSideLen"),
      choice("sealDetLimitType", "min", "max"),
      share("sealDetThresh"),
      share("sealDetBoxThresh"),
      ratio("sealDetUnclipRatio"),
      share("sealRecScoreThresh"),
    ],
  },
  human_keypoint_detection: { pdfs: false, nothing: "nothing", switches: [], more: [share("detThreshold")] },
  doc_preprocessor: { pdfs: true, nothing: "preparedNote", switches: PREPARATION, more: [] },
};

/** The samples: file, words, and the pipeline they are for. */
export const SAMPLES = [
  { file: "page.png", label: "samplePage", pipeline: "OCR" },
  { file: "seal_1.png", label: "sampleSealRed", pipeline: "seal_recognition" },
  { file: "seal_4.png", label: "sampleSealGrey", pipeline: "seal_recognition" },
];

function toggle(name) {
  return { name, kind: "toggle" };
}

function choice(name, ...options) {
  return { name, kind: "choice", options };
}

function share(name) {
  return { name, kind: "number", min: 0, max: 1, step: "any" };
}

function ratio(name) {
  return { name, kind: "number", min: 0.01, max: 10, step: "any" };
}

function side(name) {
  return { name, kind: "number", min: 1, max: 8000, step: 1 };
}
