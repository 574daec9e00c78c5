// The page: from a file and settings to an answer.

import { Answer } from "./answer.js";
import { Latest, Problem, address, fetchPipelines, send } from "./api.js";
import { byId, make } from "./dom.js";
import { PIPELINES, SAMPLES } from "./fields.js";
import { checkSize, kindOf, largestFile, sizeInWords, toBase64 } from "./files.js";
import { Settings } from "./form.js";
import { toPages } from "./results.js";
import { recall, remember } from "./storage.js";
import { say, setLanguage, translate } from "./strings.js";

const KEY_STORED = "paddlex-triton.key";
const ASK_AGAIN_MS = 5000;
const NARROW = window.matchMedia("(max-width: 959px)");

const settings = new Settings(byId("switches"), byId("more-fields"), byId("more"));
const requests = new Latest();
const answer = new Answer({ onCopied: (copied) => setStatus(copied ? "copied" : "notCopied") });

// server: what /pipelines says; file: the one taken last, which is the taken-th; status: [key, values]; problem: the one shown.
const state = { server: null, pipeline: "OCR", file: null, taken: 0, status: ["connecting", {}], problem: null, timer: 0 };

// ---- The server.

// Ask what the server serves, again and again until it is ready for something.
async function connect() {
  clearTimeout(state.timer);
  try {
    const server = await fetchPipelines();
    const changed = JSON.stringify(server) !== JSON.stringify(state.server);
    state.server = server;
    if (state.problem?.key === "unreachable") showProblem(null);
    if (isReady() && !isReady(state.pipeline)) state.pipeline = served().find(({ ready }) => ready).name;
    if (["connecting", "waiting"].includes(state.status[0])) setStatus(isReady() ? "ready" : "waiting");
    if (changed) showServer();
  } catch (error) {
    setStatus("connecting");
    if (state.problem?.key !== error.key) failed(error);
  }
  if (!isReady()) state.timer = setTimeout(connect, ASK_AGAIN_MS);
}

// The pipelines that the server has and the page knows.
function served() {
  return (state.server?.pipelines ?? []).filter(({ name }) => Object.hasOwn(PIPELINES, name));
}

// Whether the server is ready for a pipeline, or for any.
function isReady(pipeline = null) {
  return served().some(({ name, ready }) => ready && (pipeline === null || pipeline === name));
}

function showServer() {
  const { version = "", maxBodyBytes, maxPages, keyNeeded } = state.server ?? {};
  byId("version").textContent = version;
  byId("pipelines").replaceChildren(...served().map(pipelineChoice));
  byId("key-field").hidden &&= !keyNeeded;
  const { pdfs } = PIPELINES[state.pipeline];
  const hints = [say(pdfs ? "dropHint" : "dropHintImages")];
  if (maxBodyBytes) hints.push(say("sizeHint", { size: sizeInWords(largestFile(maxBodyBytes), Math.floor) }));
  if (pdfs && maxPages) hints.push(say("pagesHint", { count: maxPages }));
  byId("accepted").textContent = hints.join(" ");
  settings.show(state.pipeline);
}

function pipelineChoice({ name, ready }) {
  const radio = make("input", { type: "radio", name: "pipeline", value: name, checked: name === state.pipeline });
  radio.addEventListener("change", () => {
    state.pipeline = name;
    showServer();
    byId("pipelines").querySelector(":checked").focus();
  });
  const label = make("label", { className: "choice" }, radio, make("span", {}, say(name)));
  if (!ready) label.append(" ", make("small", {}, say("notReady")));
  return label;
}

// ---- A request.

function take(file) {
  if (!file) return;
  state.taken += 1;
  state.file = file;
  byId("chosen").textContent = file.name;
  read();
}

async function takeSample({ file, pipeline }) {
  const taken = (state.taken += 1);
  const response = await fetch(address(`page/samples/${file}`)).catch(() => null);
  const content = await response?.blob();
  if (taken !== state.taken) return;
  if (!response?.ok) {
    failed(new Problem("unreachable"));
    return;
  }
  if (isReady(pipeline) && pipeline !== state.pipeline) {
    state.pipeline = pipeline;
    showServer();
  }
  take(new File([content], file));
}

async function read() {
  const { pipeline, file } = state;
  if (!byId("form").reportValidity()) return;
  answer.clear();
  showProblem(null);
  setStatus(file ? "reading" : "ready", { file: file?.name });
  const outcome = requests.run((signal) => ask(pipeline, file, signal));
  showBusy();
  lookAtResults();
  try {
    const shown = await outcome;
    setStatus("done", { file: file.name, seconds: shown.seconds.toFixed(2) });
    await answer.show(shown);
    lookAtResults();
  } catch (error) {
    if (error.name !== "AbortError") failed(error);
  }
  showBusy();
}

// Where the results lie below the form, they may be out of sight.
function lookAtResults() {
  if (NARROW.matches) byId("results").scrollIntoView({ block: "start" });
}

// One request, from checks to pages.
async function ask(pipeline, file, signal) {
  if (!state.server) throw new Problem("unreachable", { retry: true });
  const { path } = served().find(({ name }) => name === pipeline) ?? {};
  if (!path) throw new Problem("notServed");
  if (!file) throw new Problem("noFile");
  const { keyNeeded, maxBodyBytes } = state.server;
  const key = byId("key").value;
  if (keyNeeded && !key) throw new Problem("noKey", { status: 401 });
  checkSize(file, maxBodyBytes);
  const kind = await kindOf(file);
  const { pdfs } = PIPELINES[pipeline];
  if (kind === "pdf" && !pdfs) throw new Problem("onlyImages");
  const field = pdfs ? "file" : "image";
  const body = { ...(pdfs && { fileType: kind === "pdf" ? 0 : 1 }), ...settings.values() };
  const content = await toBase64(file);
  signal.throwIfAborted();
  const outcome = await send(path, { [field]: content, ...body, visualize: true }, key, signal);
  const curl = { url: address(path), field, kind, body, keyNeeded };
  return { pipeline, ...outcome, curl, pages: toPages(pipeline, outcome.answer, file) };
}

async function again() {
  if (!state.server) await connect();
  if (state.server && state.file) read();
}

function failed(error) {
  if (!(error instanceof Problem)) console.error(error);
  const problem = error instanceof Problem ? error : new Problem("badAnswer");
  answer.clear();
  showProblem(problem);
  if (state.status[0] !== "connecting") setStatus(null);
  lookAtResults();
  if (problem.status === 401) {
    byId("key-field").hidden = false;
    byId("key").focus();
  }
}

// ---- What is said.

function setStatus(key, values = {}) {
  state.status = [key, values];
  byId("status").textContent = key ? say(key, values) : "";
}

function showProblem(problem) {
  state.problem = problem;
  const box = byId("alert");
  box.hidden = problem === null;
  byId("again").hidden = !problem?.retry;
  if (!problem) return;
  const details = problem.details.map((words) => make("li", {}, words));
  box.replaceChildren(make("p", {}, say(problem.key, problem.values)));
  if (details.length) box.append(make("ul", {}, ...details));
}

function showBusy() {
  byId("cancel").hidden = !requests.busy;
  byId("results").setAttribute("aria-busy", String(requests.busy));
}

function showAll() {
  translate();
  for (const { button, label } of samples) button.lastElementChild.textContent = say(label);
  showServer();
  setStatus(...state.status);
  showProblem(state.problem);
  answer.translate();
}

// ---- Wiring.

const samples = SAMPLES.map((sample) => {
  const picture = make("img", { src: address(`page/samples/${sample.file}`), alt: "" });
  const button = make("button", { type: "button" }, picture, make("span"));
  button.addEventListener("click", () => takeSample(sample));
  byId("samples").append(button);
  return { button, label: sample.label };
});

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  read();
});
byId("again").addEventListener("click", again);
byId("cancel").addEventListener("click", () => {
  requests.cancel();
  setStatus("cancelled");
  byId("run").focus();
});
byId("file").addEventListener("change", ({ target }) => {
  take(target.files[0]);
  // So that the same file can be chosen again.
  target.value = "";
});
byId("key").value = recall("sessionStorage", KEY_STORED);
byId("key").addEventListener("input", ({ target }) => remember("sessionStorage", KEY_STORED, target.value));

document.addEventListener("paste", ({ clipboardData }) => take(clipboardData.files[0]));
document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  byId("drop").classList.add("over");
});
document.addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) byId("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  byId("drop").classList.remove("over");
  take(event.dataTransfer.files[0]);
});
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    setLanguage(button.dataset.language);
    showAll();
  });
}

showAll();
connect();
