// Tabs over panels, and the row of page numbers: arrow keys go from one to the next.

import { make } from "./dom.js";
import { say } from "./strings.js";

const STEPS = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

/** Let the tabs of a tablist show their panels. */
export function connectTabs(tablist) {
  const tabs = [...tablist.querySelectorAll("[role=tab]")];
  const choose = (chosen) => {
    for (const tab of tabs) {
      const is = tab === chosen;
      tab.setAttribute("aria-selected", String(is));
      tab.tabIndex = is ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !is;
    }
  };
  for (const tab of tabs) tab.addEventListener("click", () => choose(tab));
  tablist.addEventListener("keydown", (event) => {
    const to = stepped(event, tabs.indexOf(event.target), tabs.length);
    if (to === null) return;
    choose(tabs[to]);
    tabs[to].focus();
  });
  choose(tabs[0]);
}

/** The row of page numbers. onTurn(index) is called for a page that is to be shown. */
export class PageRow {
  #nav;
  #onTurn;
  #count = 0;
  #index = 0;

  constructor(nav, onTurn) {
    this.#nav = nav;
    this.#onTurn = onTurn;
  }

  /** Show numbers for count pages, of which one is shown; nothing for a single page. */
  show(count, index) {
    const focused = this.#nav.contains(document.activeElement);
    [this.#count, this.#index] = [count, index];
    this.#nav.hidden = count < 2;
    const numbers = Array.from({ length: count }, (_, other) => this.#button(String(other + 1), "page", other));
    numbers[index]?.setAttribute("aria-current", "page");
    const previous = this.#button("‹", "previousPage", index - 1);
    const next = this.#button("›", "nextPage", index + 1);
    const strip = make("span", { className: "numbers" }, ...numbers);
    this.#nav.replaceChildren(previous, strip, next);
    if (focused) numbers[index]?.focus({ preventScroll: true });
    if (count > 1) strip.scrollLeft = numbers[index].offsetLeft - strip.offsetLeft - strip.clientWidth / 2;
  }

  /** Turn a page for a key: arrows to left and right, Home, End. */
  key(event) {
    const to = this.#count > 1 ? stepped(event, this.#index, this.#count) : null;
    if (to !== null) this.#onTurn(to);
  }

  #button(text, key, to) {
    const button = make("button", { type: "button", disabled: to < 0 || to >= this.#count }, text);
    button.setAttribute("aria-label", say(key, { number: to + 1 }));
    button.addEventListener("click", () => this.#onTurn(to));
    return button;
  }
}

// Where a key leads from one of count things; null for other keys.
function stepped(event, from, count) {
  const step = STEPS[event.key];
  if (step === undefined || from < 0 || event.altKey || event.ctrlKey || event.metaKey) return null;
  event.preventDefault();
  return Math.min(Math.max(from + step, 0), count - 1);
}
