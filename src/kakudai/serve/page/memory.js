// What the browser keeps between visits, or for this one. Storage may be forbidden or full: then nothing is kept.

/** Return what was kept under a name, or `fallback`. `store` is 'localStorage' or 'sessionStorage'. */
export function recall(name, fallback, store = "localStorage") {
  try {
    const text = window[store].getItem(`kakudai.${name}`);
    return text === null ? fallback : JSON.parse(text);
  } catch {
    return fallback;
  }
}

/** Keep a value under a name; undefined forgets it. */
export function keep(name, value, store = "localStorage") {
  try {
    if (value === undefined) window[store].removeItem(`kakudai.${name}`);
    else window[store].setItem(`kakudai.${name}`, JSON.stringify(value));
  } catch {
    // The page works without it.
  }
}
