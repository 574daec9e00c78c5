// The panels beside the list: times, JSON, curl.

import { make } from "./dom.js";
import { sizeInWords } from "./files.js";
import { say } from "./strings.js";

// Longer strings without spaces are pictures.
const LONGEST_STRING = 2000;

/** A table of the stages' milliseconds with bars; seconds is what the browser waited. */
export function timesTable(times, seconds) {
  const rows = [...times.map(([stage, ms]) => [say(stage), ms]), [say("roundTrip"), seconds * 1000]];
  const most = Math.max(...rows.map(([, ms]) => ms), 1);
  const body = rows.map(([name, ms]) => {
    const bar = make("span", { className: "bar-of-time" });
    bar.style.width = `${(100 * ms) / most}%`;
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      make("td", {}, ms.toFixed(1)),
      make("td", { className: "bars", ariaHidden: "true" }, bar),
    );
  });
  const head = [say("stage"), say("milliseconds")].map((words) => make("th", { scope: "col" }, words));
  head.push(make("td", { ariaHidden: "true" }));
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
  return times.length ? [table] : [make("p", { className: "hint" }, say("noTimes")), table];
}

/** An answer as indented JSON: pictures as their sizes, lists of numbers on one line. */
export function jsonText(answer) {
  return indented(answer, "");
}

/** A command that sends the same request, with a path in the place of the file. */
export function curlText({ url, field, kind, body, keyNeeded }) {
  const path = `path/to/${kind === "pdf" ? "document.pdf" : "image.png"}`;
  const file = `"${field}": "$(base64 < ${path} | tr -d '\\n')"`;
  const rest = JSON.stringify(body).slice(1, -1);
  const key = keyNeeded ? ` \\\n  -H "X-API-Key: $API_KEY"` : "";
  const json = `{${[file, rest].filter(Boolean).join(", ")}}`;
  return `curl ${url} \\\n  -H "Content-Type: application/json"${key} --data-binary @- <<END\n${json}\nEND`;
}

function indented(value, margin) {
  if (typeof value === "string") return JSON.stringify(shortened(value));
  if (value === null || typeof value !== "object" || isNumeric(value)) return JSON.stringify(value);
  const inner = `${margin}  `;
  if (Array.isArray(value)) return wrapped("[", value.map((item) => indented(item, inner)), "]", margin);
  const fields = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${indented(item, inner)}`);
  return wrapped("{", fields, "}", margin);
}

function wrapped(open, parts, close, margin) {
  if (!parts.length) return open + close;
  return `${open}\n${parts.map((part) => `${margin}  ${part}`).join(",\n")}\n${margin}${close}`;
}

// Numbers, and lists of numbers: points and polygons.
function isNumeric(value) {
  return typeof value === "number" || (Array.isArray(value) && value.length > 0 && value.every(isNumeric) && depth(value) <= 2);
}

function depth(value) {
  return Array.isArray(value) ? 1 + Math.max(...value.map(depth)) : 0;
}

function shortened(text) {
  const picture = text.length > LONGEST_STRING && !/\s/.test(text);
  return picture ? `…${sizeInWords((text.length * 3) / 4)}` : text;
}
