// What the page says, in the language that was chosen.

import { recall, remember } from "./storage.js";
import { joints as jointsEn, words as wordsEn } from "./strings_en.js";
import { joints as jointsZh, words as wordsZh } from "./strings_zh.js";

const LANGUAGES = {
  en: { tag: "en", words: wordsEn, joints: jointsEn },
  zh: { tag: "zh-CN", words: wordsZh, joints: jointsZh },
};
const STORED = "paddlex-triton.language";

let language = initialLanguage();

function initialLanguage() {
  const stored = recall("localStorage", STORED);
  if (Object.hasOwn(LANGUAGES, stored)) return stored;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** Take another language, "en" or "zh", and keep it for the next visit. */
export function setLanguage(name) {
  language = name;
  remember("localStorage", STORED, name);
}

/** The words of a key, with {name}s filled in; the key itself where it has no words. */
export function say(key, values = {}) {
  const { words } = LANGUAGES[language];
  const text = Object.hasOwn(words, key) ? words[key] : key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** The names of COCO's 17 joints, in order. */
export function jointNames() {
  return LANGUAGES[language].joints;
}

/** Write the words of all elements that carry data-text (their text) or data-label (their accessible name). */
export function translate() {
  document.documentElement.lang = LANGUAGES[language].tag;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}
