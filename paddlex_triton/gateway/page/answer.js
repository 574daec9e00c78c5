// An answer on the screen: the picture of one of its pages, what was found on it, and the panels beside.

import { byId, copy, save } from "./dom.js";
import { Overlay } from "./draw.js";
import { PIPELINES } from "./fields.js";
import { EntryList, inWords } from "./list.js";
import { curlText, jsonText, timesTable } from "./panels.js";
import { loadPicture, release } from "./pictures.js";
import { entriesOf } from "./results.js";
import { say } from "./strings.js";
import { PageRow, connectTabs } from "./tabs.js";

// The list stays beside the picture, however far the page is scrolled.
const BESIDE = window.matchMedia("(min-width: 1280px)");

/** The answer shown. onCopied(whether it worked) is called after something was to be copied. */
export class Answer {
  #onCopied;
  #overlay;
  #list;
  #row;
  // {pipeline, pages, answer, times, seconds, curl}; null if nothing is shown.
  #shown = null;
  #index = 0;
  #entries = [];
  // The entry that was clicked or that keys went to; it stays lit when the pointer leaves another.
  #picked = null;

  constructor({ onCopied }) {
    this.#onCopied = onCopied;
    this.#overlay = new Overlay(byId("overlay"), {
      onHover: (index) => this.#light(index ?? this.#picked, { scroll: true }),
      onPick: (index) => this.#list.focus(index),
    });
    this.#list = new EntryList(byId("list"), {
      onHover: (index) => this.#light(index ?? this.#picked),
      onFocus: (index) => {
        this.#picked = index;
        this.#light(index, { scroll: true });
        if (BESIDE.matches) this.#overlay.reveal(index);
      },
      onPick: (index) => this.#overlay.reveal(index),
      onCopy: (text) => this.#copy(text),
    });
    this.#row = new PageRow(byId("pages"), (index) => this.#turn(index));
    for (const id of ["pages", "stage"]) byId(id).addEventListener("keydown", (event) => this.#row.key(event));
    connectTabs(byId("tabs"));
    byId("outlines").addEventListener("change", ({ target }) => byId("stage").classList.toggle("bare", !target.checked));
    byId("copy-texts").addEventListener("click", () => this.#copy(this.#texts().join("\n")));
    byId("copy-json").addEventListener("click", () => this.#copy(byId("json").textContent));
    byId("copy-curl").addEventListener("click", () => this.#copy(byId("curl").textContent));
    byId("save-json").addEventListener("click", () => save("answer.json", byId("json").textContent));
  }

  /** Show nothing. */
  clear() {
    byId("answer").hidden = true;
    if (this.#shown) release(this.#shown.pages);
    this.#shown = null;
  }

  /** Show an answer, its first page first: {pipeline, pages, answer, times, seconds, curl}. */
  async show(shown) {
    this.#shown = shown;
    byId("json").textContent = jsonText(shown.answer);
    byId("curl").textContent = curlText(shown.curl);
    this.#showTimes();
    await this.#turn(0);
  }

  /** Say all of it in the language of now. */
  translate() {
    if (!this.#shown) return;
    this.#showTimes();
    this.#turn(this.#index);
  }

  async #turn(index) {
    const { pipeline, pages } = this.#shown;
    const page = pages[index];
    this.#index = index;
    this.#row.show(pages.length, index);
    const picture = await loadPicture(page);
    // Another page, or another answer, may have come meanwhile.
    if (this.#shown?.pages[this.#index] !== page) return;
    this.#entries = entriesOf(page);
    this.#picked = null;
    this.#list.show(page.groups, PIPELINES[pipeline].nothing);
    byId("count").textContent = counts(this.#entries).join(" · ");
    byId("copy-texts").hidden = !this.#texts().length;
    byId("answer").hidden = false;
    this.#showPicture(picture, pipeline);
    this.#light(null);
  }

  #showPicture({ url, size, outlines, notes }, pipeline) {
    const [width, height] = size ?? [1, 1];
    const stage = byId("stage");
    stage.hidden = size === null;
    stage.style.setProperty("--width", width);
    stage.style.setProperty("--ratio", width / height);
    byId("picture").hidden = url === null;
    if (url) byId("picture").src = url;
    byId("overlay").toggleAttribute("hidden", !outlines);
    byId("outlines-field").hidden = !outlines || !this.#entries.length;
    this.#overlay.show(outlines ? this.#entries : [], [width, height]);
    byId("note").hidden = !notes.length;
    byId("note").textContent = notes.map((note) => say(...note)).join(" ");
    const link = byId("save-picture");
    link.hidden = url === null || pipeline !== "doc_preprocessor";
    if (url) link.href = url;
  }

  #showTimes() {
    byId("panel-times").replaceChildren(...timesTable(this.#shown.times, this.#shown.seconds));
  }

  #light(index, { scroll = false } = {}) {
    this.#overlay.light(index);
    this.#list.light(index, { scroll });
    byId("caption").textContent = this.#entries[index] ? inWords(this.#entries[index]) : "";
  }

  // The texts of the page shown, from top to bottom as they are listed.
  #texts() {
    return this.#entries.filter(({ kind, text }) => kind === "line" && text).map(({ text }) => text);
  }

  async #copy(text) {
    this.#onCopied(await copy(text));
  }
}

const COUNTED = [["line", "countLines"], ["person", "countPeople"], ["box", "countBoxes"]];

function counts(entries) {
  return COUNTED.map(([kind, key]) => [key, entries.filter((entry) => entry.kind === kind).length])
    .filter(([, count]) => count > 0)
    .map(([key, count]) => say(key, { count }));
}
