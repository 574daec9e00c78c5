// Send an image or a PDF to the gateway, print what it found, and save its pictures beside the file.
//
//   node rest_client.mjs ocr|seal-recognition|human-keypoint-detection FILE [URL]
//
// Node.js 18 or later, nothing else. The environment variable PADDLEX_TRITON_API_KEY holds the key of a server that wants one.
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const PIPELINES = ["ocr", "seal-recognition", "human-keypoint-detection"];

async function main(pipeline, file, server = "http://127.0.0.1:8080") {
  const content = await readFile(file, "base64");
  const { dir, name, ext } = path.parse(file);
  const stem = path.join(dir, name);
  const fileType = ext.toLowerCase() === ".pdf" ? 0 : 1;
  const body = pipeline === "human-keypoint-detection" ? { image: content } : { file: content, fileType };
  const result = await ask(`${server}/${pipeline}`, body);

  for (const person of result.persons ?? []) {
    console.log(`person ${person.detScore.toFixed(3)}, keypoints ${person.kptScore.toFixed(3)}`);
  }
  await save({ image: result.image }, stem);
  const pages = result.ocrResults ?? result.sealRecResults ?? [];
  for (const [number, page] of pages.entries()) {
    if (pages.length > 1) console.log(`page ${number}`);
    // A page of seals has the result of each seal.
    for (const found of page.prunedResult.seal_res_list ?? [page.prunedResult]) {
      found.rec_texts.forEach((text, index) => console.log(`${found.rec_scores[index].toFixed(3)} ${text}`));
    }
    await save({ ocrImage: page.ocrImage, ...page.outputImages }, pages.length > 1 ? `${stem}_${number}` : stem);
  }
}

// Return the `result` of the server's answer; a server that is busy is asked once more, when it says.
async function ask(url, body) {
  const headers = { "Content-Type": "application/json" };
  const key = process.env.PADDLEX_TRITON_API_KEY;
  if (key) headers.Authorization = `Bearer ${key}`;
  const post = () =>
    fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(300_000) });
  let response = await post();
  if (response.status === 503) {
    await sleep(1000 * Number(response.headers.get("Retry-After") ?? 1));
    response = await post();
  }
  const answer = await response.json();
  if (response.status !== 200 || answer.errorCode !== 0) {
    throw new Error(`error ${answer.errorCode}: ${answer.errorMsg} (logId ${answer.logId})`);
  }
  return answer.result;
}

// Write pictures in base64; there are none if the server does not draw.
async function save(pictures, stem) {
  for (const [key, picture] of Object.entries(pictures)) {
    if (picture) await writeFile(`${stem}_${key}.jpg`, picture, "base64");
  }
}

const [pipeline, file, server] = process.argv.slice(2);
if (!PIPELINES.includes(pipeline) || !file || process.argv.length > 5) {
  console.error(`usage: node rest_client.mjs ${PIPELINES.join("|")} FILE [URL]`);
  process.exit(2);
}
try {
  await main(pipeline, file, server);
} catch (error) {
  // What `fetch` could not do is said by the cause.
  console.error(error.cause ? `${error.message}: ${error.cause.message}` : error.message);
  process.exitCode = 1;
}
