// What the browser keeps for the page. Browsers may forbid that; then nothing is kept.

/** What was kept under a key in "localStorage" or "sessionStorage"; "" if nothing was. */
export function recall(storage, key) {
  try {
    return window[storage].getItem(key) ?? "";
  } catch {
    return "";
  }
}

/** Keep a string. */
export function remember(storage, key, value) {
  try {
    window[storage].setItem(key, value);
  } catch {
    // Forbidden, or full: it is asked for again at the next visit.
  }
}
