// What was found, as a list: arrow keys go through it, and light what lies on the picture.

import { make, scrollWithin } from "./dom.js";
import { jointNames, say } from "./strings.js";

const STEPS = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };

/**
 * The list of a page's entries. onHover(index or null) is called for the entry under the pointer, onFocus(index) for the one
 * that keys went to, onPick(index) for one that was clicked, onCopy(text) for a text to copy.
 */
export class EntryList {
  #container;
  #calls;
  #buttons = [];

  constructor(container, calls) {
    this.#container = container;
    this.#calls = calls;
    container.addEventListener("pointerover", ({ target }) => calls.onHover(indexAt(target)));
    container.addEventListener("pointerleave", () => calls.onHover(null));
    container.addEventListener("focusin", ({ target }) => this.#focused(target));
    container.addEventListener("keydown", (event) => this.#key(event));
  }

  /** List a page's groups; nothing is the key of what to say if there are no entries. */
  show(groups, nothing) {
    this.#buttons = [];
    const parts = groups.flatMap(({ title, entries }) => this.#group(title, entries));
    if (!this.#buttons.length) parts.push(make("p", { className: "hint" }, say(nothing)));
    this.#container.replaceChildren(...parts);
    this.#reach(0);
  }

  /** Mark one entry as lit, or none for null, and bring it into the list's view. */
  light(index, { scroll = false } = {}) {
    for (const [other, button] of this.#buttons.entries()) {
      button.parentElement.classList.toggle("lit", other === index);
    }
    if (scroll && this.#buttons[index]) scrollWithin(this.#container, this.#buttons[index].parentElement);
  }

  /** Let the keyboard go on from an entry. */
  focus(index) {
    this.#reach(index);
    this.#buttons[index]?.focus({ preventScroll: true });
  }

  #group(title, entries) {
    const list = make("ul", {}, ...entries.map((entry) => this.#row(entry)));
    return title ? [make("h3", {}, say(...title)), list] : [list];
  }

  #row(entry) {
    const index = this.#buttons.length;
    const button = make("button", { type: "button", className: "entry-button" }, ...CONTENT[entry.kind](entry));
    button.addEventListener("click", () => this.#calls.onPick(index));
    this.#buttons.push(button);
    const row = make("li", { className: entry.kind }, button);
    row.dataset.index = index;
    if (entry.kind === "line" && entry.text) row.append(this.#copyButton(entry.text));
    if (entry.kind === "person") row.append(jointTable(entry.joints));
    return row;
  }

  #copyButton(text) {
    const button = make("button", { type: "button", className: "copy" }, say("copy"));
    button.setAttribute("aria-label", say("copyText", { text }));
    button.addEventListener("click", () => this.#calls.onCopy(text));
    return button;
  }

  #focused(target) {
    const index = indexAt(target);
    if (index === null) return;
    this.#reach(index);
    this.#calls.onFocus(index);
  }

  #key(event) {
    const step = STEPS[event.key];
    const from = this.#buttons.indexOf(event.target);
    if (step === undefined || from < 0) return;
    event.preventDefault();
    const to = Math.min(Math.max(from + step, 0), this.#buttons.length - 1);
    this.#buttons[to].focus();
  }

  // The tab key meets one entry alone, with what belongs to it; the arrow keys go to the others.
  #reach(index) {
    for (const [other, button] of this.#buttons.entries()) {
      for (const element of button.parentElement.querySelectorAll("button, summary")) {
        element.tabIndex = other === index ? 0 : -1;
      }
    }
  }
}

/** One line about an entry: its text and score. */
export function inWords(entry) {
  const text = entry.kind === "person" ? say("person", { number: entry.number }) : entry.text || say("emptyText");
  return `${text} · ${scoreInWords(entry.score)}`;
}

const CONTENT = {
  line: ({ text, score }) => [
    make("span", { className: text ? "text" : "text hint", dir: "auto" }, text || say("emptyText")),
    scoreOf(score),
  ],
  box: ({ text, score }) => [make("span", { className: "text" }, text), scoreOf(score)],
  person: ({ number, score, poseScore }) => [
    make("span", { className: "text" }, say("person", { number })),
    make("span", { className: "score" }, say("poseScore", { score: scoreInWords(poseScore) })),
    scoreOf(score),
  ],
};

function scoreOf(score) {
  return make("span", { className: "score" }, scoreInWords(score));
}

function scoreInWords(score) {
  return Number.isFinite(score) ? score.toFixed(3) : "–";
}

function jointTable(joints) {
  const names = jointNames();
  const head = ["joint", "x", "y", "score"].map((key) => make("th", { scope: "col" }, say(key)));
  const rows = joints.map(([x, y, score], index) =>
    make("tr", {}, make("th", { scope: "row" }, names[index]), ...numbers(x.toFixed(1), y.toFixed(1), score.toFixed(3))),
  );
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
  return make("details", {}, make("summary", {}, say("joints")), table);
}

function numbers(...cells) {
  return cells.map((cell) => make("td", {}, cell));
}

function indexAt(target) {
  const row = target.closest("[data-index]");
  return row ? Number(row.dataset.index) : null;
}
