// Requests to the server, and what becomes of its errors.

/** Something that went wrong, in words of strings.js; details are the server's own. */
export class Problem extends Error {
  constructor(key, { values = {}, details = [], retry = false, status = 0 } = {}) {
    super(key);
    Object.assign(this, { key, values, details, retry, status });
  }
}

/** Runs one piece of work at a time: a newer one ends an older one, whose promise then fails with an AbortError. */
export class Latest {
  #controller = null;

  get busy() {
    return this.#controller !== null;
  }

  /** Run work(signal), and give its value if nothing newer has begun meanwhile. */
  async run(work) {
    this.cancel();
    const controller = new AbortController();
    this.#controller = controller;
    try {
      const value = await work(controller.signal);
      controller.signal.throwIfAborted();
      return value;
    } catch (error) {
      controller.signal.throwIfAborted();
      throw error;
    } finally {
      if (this.#controller === controller) this.#controller = null;
    }
  }

  cancel() {
    this.#controller?.abort();
    this.#controller = null;
  }
}

/** The address of a path of the server, which may lie behind a prefix. */
export function address(path) {
  return new URL(path.replace(/^\//, ""), document.baseURI);
}

/** What the server serves: {pipelines, version, maxBodyBytes, maxPages, keyNeeded}. */
export async function fetchPipelines() {
  const { answer } = await ask(address("pipelines"), { cache: "no-store" });
  return answer;
}

/**
 * Send a request to a pipeline.
 *
 * Gives {result, dataInfo, answer, times: [[stage, ms]], seconds}; throws a Problem, or an AbortError if it was cancelled.
 */
export async function send(path, body, key, signal) {
  const headers = { "Content-Type": "application/json" };
  if (key) headers["X-API-Key"] = key;
  const began = performance.now();
  const { response, answer } = await ask(address(path), { method: "POST", headers, body: JSON.stringify(body), signal });
  const seconds = (performance.now() - began) / 1000;
  return { answer, times: stageTimes(response.headers.get("Server-Timing")), seconds };
}

async function ask(url, options) {
  let response;
  let text;
  try {
    response = await fetch(url, options);
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("unreachable", { retry: true });
  }
  const answer = parsed(text);
  if (!response.ok || answer?.errorCode) throw problemOf(response, answer);
  if (answer === null) throw new Problem("badAnswer");
  return { response, answer };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const KEYS = { 401: "keyRefused", 404: "notServed", 413: "bodyTooLarge", 422: "badRequest", 503: "busyNow", 504: "tooSlow" };

function problemOf(response, answer) {
  const status = response.ok ? answer.errorCode : response.status;
  const details = answer ? messages(answer.errorMsg) : [];
  const values = { status };
  let key = KEYS[status] ?? "serverError";
  const wait = Number.parseInt(response.headers.get("Retry-After"), 10);
  if (status === 503 && wait > 0) {
    key = "busy";
    values.seconds = wait;
  }
  return new Problem(key, { values, details, retry: status >= 500, status });
}

// The server's words: a sentence, or for a body of a wrong shape a list of {loc, msg}, mostly as JSON in a string.
function messages(message) {
  const list = typeof message === "string" && message.startsWith("[") ? parsed(message) : message;
  if (!Array.isArray(list)) return message ? [String(message)] : [];
  return list.map(({ loc, msg }) => {
    const field = [loc].flat().join(".").replace(/^body\.?/, "");
    return field ? `${field}: ${msg}` : String(msg);
  });
}

// "read;dur=1.2, draw;dur=3" as [["read", 1.2], ["draw", 3]].
function stageTimes(header) {
  return [...(header ?? "").matchAll(/([\w-]+)\s*;[^,]*?dur=([\d.]+)/g)].map(([, name, ms]) => [name, Number(ms)]);
}
