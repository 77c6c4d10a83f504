// What screen readers are told, one line at a time.

/** Return a function that tells a text; the same text twice is told twice. */
export function createStatus(element) {
  return (text) => {
    element.textContent = "";
    requestAnimationFrame(() => {
      element.textContent = text;
    });
  };
}
