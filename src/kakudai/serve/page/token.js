// The server's token, where it wants one.

/** Ask the visitor for the token in a dialog; rejects with an AbortError where none is given. */
export function askToken(dialog) {
  const field = dialog.querySelector("#token-value");
  field.value = "";
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue === "ok" && field.value) resolve(field.value);
        else reject(new DOMException("no token", "AbortError"));
      },
      { once: true },
    );
  });
}
