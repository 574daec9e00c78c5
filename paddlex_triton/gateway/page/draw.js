// What was found, drawn over the picture in SVG whose units are the page's pixels.

import { makeSvg } from "./dom.js";

// Pairs of COCO's joints that are joined.
const BONES = [
  [15, 13], [13, 11], [16, 14], [14, 12], [11, 12], [5, 11], [6, 12], [5, 6], [5, 7], [7, 9], [6, 8], [8, 10], [0, 1],
  [0, 2], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6],
];
const LEAST_JOINT_SCORE = 0.3;

/** The outlines over the picture. onHover(index or null) and onPick(index) are called for the entry under the pointer. */
export class Overlay {
  #svg;
  #shapes = new Map();
  #width = 1;

  constructor(svg, { onHover, onPick }) {
    this.#svg = svg;
    svg.addEventListener("pointerover", ({ target }) => onHover(indexAt(target)));
    svg.addEventListener("pointerleave", () => onHover(null));
    svg.addEventListener("click", ({ target }) => {
      const index = indexAt(target);
      if (index !== null) onPick(index);
    });
    new ResizeObserver(() => this.#scale()).observe(svg);
  }

  /** Draw entries on a page of width x height pixels. */
  show(entries, [width, height]) {
    this.#width = width;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const shapes = entries.map((entry, index) => {
      const shape = SHAPES[entry.kind](entry);
      shape.classList.add("entry", entry.kind);
      shape.dataset.index = index;
      return shape;
    });
    this.#shapes = new Map(shapes.entries());
    // What is drawn last is met first by the pointer: small on large, lines on boxes.
    const order = [...shapes.keys()].sort((a, b) => coverage(entries[b]) - coverage(entries[a]));
    this.#svg.replaceChildren(...order.map((index) => shapes[index]));
    this.#scale();
  }

  /** Light the shape of one entry, or none for null. */
  light(index) {
    for (const [other, shape] of this.#shapes) shape.classList.toggle("lit", other === index);
  }

  /** Bring the shape of an entry onto the screen. */
  reveal(index) {
    this.#shapes.get(index)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // Letters keep their size on the screen, however large the page.
  #scale() {
    const shown = this.#svg.getBoundingClientRect().width;
    if (shown > 0) this.#svg.style.setProperty("--unit", String(this.#width / shown));
  }
}

function indexAt(target) {
  const shape = target.closest("[data-index]");
  return shape ? Number(shape.dataset.index) : null;
}

function coverage({ kind, box }) {
  return kind === "line" ? 0 : (box[2] - box[0]) * (box[3] - box[1]);
}

const SHAPES = {
  line: ({ polygon, words }) =>
    makeSvg(
      "g",
      {},
      makeSvg("polygon", { class: "outline", points: polygon.map((point) => point.join(",")).join(" ") }),
      ...words.map(({ box }) => rectangle(box, "word")),
    ),

  box: ({ box, text }) => makeSvg("g", {}, rectangle(box, "outline"), label(box, text)),

  person: ({ box, joints, number }) => {
    const bones = BONES.map(([from, to]) => {
      const [x1, y1, first] = joints[from];
      const [x2, y2, second] = joints[to];
      return makeSvg("path", { class: `bone ${side(from, to)} ${faint(first, second)}`, d: `M${x1} ${y1}L${x2} ${y2}` });
    });
    // A line of no length with round ends is a dot whose size is the screen's.
    const dots = joints.map(([x, y, score], joint) =>
      makeSvg("path", { class: `joint ${side(joint, joint)} ${faint(score)}`, d: `M${x} ${y}h0` }),
    );
    return makeSvg("g", {}, rectangle(box, "outline"), ...bones, ...dots, label(box, String(number)));
  },
};

function rectangle([x1, y1, x2, y2], name) {
  return makeSvg("rect", { class: name, x: x1, y: y1, width: Math.max(x2 - x1, 0), height: Math.max(y2 - y1, 0) });
}

function label([x, y], text) {
  return makeSvg("text", { x, y }, text);
}

// Odd joints are left ones, even ones right; the nose is neither.
function side(from, to) {
  if (from === 0 || to === 0 || from % 2 !== to % 2) return "middle";
  return from % 2 ? "left" : "right";
}

function faint(...scores) {
  return Math.min(...scores) < LEAST_JOINT_SCORE ? "faint" : "";
}
