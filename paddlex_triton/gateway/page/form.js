// The settings of a request: switches with three states, choices and numbers.

import { PIPELINES } from "./fields.js";
import { make } from "./dom.js";
import { say } from "./strings.js";

/** The fields of one pipeline at a time; what was set for the others is kept. */
export class Settings {
  #switches;
  #more;
  #details;
  #pipeline = null;
  // pipeline -> field -> what stands in its control.
  #entered = {};

  constructor(switches, more, details) {
    this.#switches = switches;
    this.#more = more;
    this.#details = details;
    // The browser cannot show what is wrong inside of what is folded away.
    details.addEventListener("invalid", () => (details.open = true), true);
  }

  /** Show the fields of a pipeline, in the language of now. */
  show(pipeline) {
    this.#pipeline = pipeline;
    const { switches, more } = PIPELINES[pipeline];
    this.#switches.replaceChildren(...switches.map((field) => this.#row(field)));
    this.#more.replaceChildren(...more.map((field) => this.#row(field)));
    this.#details.hidden = more.length === 0;
  }

  /** What the user has set, by the names of the request: {useDocUnwarping: false, textDetThresh: 0.4}. */
  values() {
    const { switches, more } = PIPELINES[this.#pipeline];
    const entered = this.#entered[this.#pipeline] ?? {};
    const set = [...switches, ...more].filter(({ name }) => entered[name]);
    return Object.fromEntries(set.map(({ name, kind }) => [name, READ[kind](entered[name])]));
  }

  #row(field) {
    const id = `field-${field.name}`;
    const entered = (this.#entered[this.#pipeline] ??= {});
    const control = CONTROLS[field.kind](field);
    Object.assign(control, { id, value: entered[field.name] ?? "" });
    control.addEventListener("input", () => (entered[field.name] = control.value));
    const label = make("label", { htmlFor: id, title: field.name }, say(field.name));
    return make("div", { className: "field" }, label, control);
  }
}

const READ = { toggle: (text) => text === "true", choice: (text) => text, number: Number };

const CONTROLS = {
  toggle: () => select([["true", say("on")], ["false", say("off")]]),
  choice: ({ options }) => select(options.map((option) => [option, say(option)])),
  number: ({ min, max, step }) =>
    make("input", { type: "number", inputMode: "decimal", min, max, step, placeholder: say("byDefault") }),
};

function select(options) {
  const all = [["", say("byDefault")], ...options];
  return make("select", {}, ...all.map(([value, text]) => make("option", { value }, text)));
}
