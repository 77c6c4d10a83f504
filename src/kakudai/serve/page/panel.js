// The panel beside the stage: what is known of the picture, help beside each field, progress, and the buttons.

import { isBusy, isPending } from "./items.js";
import { middle } from "./work.js";
import { checkResult } from "./limits.js";
import { explain } from "./problems.js";
import { stateWords } from "./strip.js";

/** Return a function that draws the panel. */
export function createPanel({ items, words, settings, capability }) {
  const find = (selector) => document.querySelector(selector);

  function drawAbout(item) {
    const about = find("#about");
    about.hidden = !item;
    if (!item) return;
    const [name, facts, choice, notes] = [".name", ".facts", ".choice", ".notes"].map((selector) =>
      about.querySelector(selector),
    );
    name.textContent = item.name;
    name.title = item.name;
    facts.textContent = [
      item.width && words.size([item.width, item.height]),
      words.bytes(item.file.size),
      item.format?.toUpperCase(),
    ]
      .filter(Boolean)
      .join(" · ");
    const { result } = item;
    choice.hidden = !result;
    if (result) choice.textContent = choiceWords(result, words);
    notes.hidden = !result?.notes?.length;
    notes.replaceChildren(
      ...(result?.notes ?? []).map((note) => Object.assign(document.createElement("li"), { textContent: note })),
    );
  }

  function drawFields(item) {
    const bySize = settings.bySize();
    find(".times").hidden = bySize;
    find(".box").hidden = !bySize;
    for (const button of document.querySelectorAll("[data-scale]")) {
      button.setAttribute("aria-pressed", String(Number(find("#scale").value) === Number(button.dataset.scale)));
    }
    const options = settings.options();
    const size = item ? settings.resultSize([item.width, item.height]) : [0, 0];
    const sizes = item && {
      from: words.size([item.width, item.height]),
      to: words.size(size),
      pixels: words.megapixels(size[0] * size[1]),
    };
    find("#size-help").textContent = size[0]
      ? words.say("size.becomes", sizes)
      : words.say(bySize ? "size.box-help" : "size.help");
    find("#model-help").textContent = modelHelp(options.model);
    const { auto } = { auto: options.denoise === "auto" };
    find("#strength").disabled = auto || !capability.restores;
    find("#denoise-auto").disabled = !capability.restores;
    find("#strength-value").textContent = auto ? "" : words.number(Number(options.denoise));
    find("#denoise-help").textContent = words.say(
      !capability.restores ? "denoise.none-here" : auto ? "denoise.help.auto" : strengthKey(Number(options.denoise)),
    );
    find("#tta").disabled = settings.here();
    find("#quality").disabled = !settings.lossy();
    find("#privacy").textContent = privacy();
  }

  function modelHelp(model) {
    if (model === "photo" || model === "art") {
      return words.say(
        capability.styles.includes(model)
          ? { photo: "model.help.photo", art: "model.help.art" }[model]
          : "model.none-here",
      );
    }
    return model === "auto" ? words.say("model.help.auto") : words.say("model.help.named", { name: model });
  }

  function privacy() {
    if (settings.here()) return words.say("privacy.here");
    return words.say("privacy.server", { host: location.host, life: words.seconds(capability.limits.life_seconds) });
  }

  /** Draw what is wrong with the fields; return whether work may begin. */
  function drawSizeProblem(list) {
    const { limits } = capability;
    const problems = list.map((item) =>
      checkResult(settings.resultSize([item.width, item.height]), limits, words, Number(settings.options().scale)),
    );
    const problem = problems.find(Boolean);
    showProblem(find("#size-problem"), problem, words);
    for (const id of ["#scale", "#width", "#height"]) find(id).setAttribute("aria-invalid", String(Boolean(problem)));
    return !problem;
  }

  function drawProgress(item, busy) {
    const progress = find("#progress");
    progress.hidden = !busy.length;
    if (!busy.length) return;
    const shown = item && isBusy(item) ? item : busy[0];
    const bar = progress.querySelector("progress");
    const known = shown.state === "running" || shown.state === "uploading";
    if (known) bar.value = shown.share;
    else bar.removeAttribute("value");
    const done = items.all.filter((one) => one.state === "done").length;
    const many = items.all.length > 1;
    if (many)
      bar.value =
        items.all.reduce((sum, one) => sum + (one.state === "ready" ? 0 : isBusy(one) ? one.share : 1), 0) /
        items.all.length;
    const counted = words.say("progress.many", { done: words.number(done), all: words.number(items.all.length) });
    progress.querySelector(".progress-state").textContent = many ? counted : stateWords(shown, words);
    progress.querySelector(".progress-left").textContent =
      !many && shown.secondsLeft && shown.state === "running"
        ? words.say("progress.left", { time: words.seconds(Math.max(1, Math.round(shown.secondsLeft))) })
        : "";
  }

  function drawButtons(item, { pending, busy, allowed }) {
    const [start, download, preview] = [find("#start"), find("#download"), find("#preview")];
    const fresh = item?.state === "done" && !isPending(item, settings.signature());
    start.hidden = busy.length > 0 || (items.all.length > 0 && !pending.length);
    start.disabled = !pending.length || !allowed;
    const again = pending.length && pending.every((one) => one.state !== "ready");
    start.textContent =
      again && pending.length === 1
        ? words.say("action.again")
        : words.count("action.start", Math.max(1, pending.length));
    download.hidden = !item?.result;
    if (item?.result)
      Object.assign(download, { href: item.result.address, download: item.result.name, title: item.result.name });
    download.classList.toggle("primary", start.hidden || fresh);
    start.classList.toggle("primary", !fresh);
    find("#zip").hidden = items.all.filter((one) => one.result).length < 2 || busy.length > 0;
    preview.hidden =
      !item || busy.length > 0 || !isPending(item, settings.signature()) || !middle([item.width, item.height]);
    preview.disabled = !allowed;
    find("#cancel").hidden = !busy.length;
    find("#cancel").textContent = busy.length > 1 ? words.say("action.cancel-all") : words.say("action.cancel");
  }

  return () => {
    const item = items.selected;
    const signature = settings.signature();
    const pending = items.all.filter((one) => isPending(one, signature));
    const busy = items.all.filter(isBusy);
    drawAbout(item);
    drawFields(item);
    const allowed = drawSizeProblem(pending);
    drawProgress(item, busy);
    const problem = item && ["failed", "refused"].includes(item.state) ? item.problem : null;
    showProblem(find("#problem"), problem, words);
    drawButtons(item, { pending, busy, allowed });
  };
}

/** Tell a problem in an element, or clear it. */
export function showProblem(element, problem, words, name = "") {
  element.hidden = !problem;
  const text = problem ? explain(problem, words) : { detail: "", hint: "" };
  const whole = [name, text.detail, text.hint].join("\n");
  if (element.dataset.told === whole) return; // told once is enough for a screen reader
  element.dataset.told = whole;
  const parts = [name && ["b", name], ["strong", text.detail], text.hint && ["span", text.hint]].filter(Boolean);
  element.replaceChildren(
    ...parts.map(([tag, words_]) => Object.assign(document.createElement(tag), { textContent: words_ })),
  );
}

function strengthKey(strength) {
  if (strength === 0) return "denoise.help.none";
  if (strength < 38) return "denoise.help.light";
  return strength < 70 ? "denoise.help.medium" : "denoise.help.strong";
}

/** Say in words what was chosen for a picture, and why. */
export function choiceWords({ model, strength, reason, seconds, options, here }, words) {
  const parts = [];
  const seen = reason && reasonWords(reason, words);
  const chosen = options.model === "auto" || options.denoise === "auto";
  if (seen && chosen) parts.push(words.say("choice.seen", { seen }));
  parts.push(
    words.say(strength > 0 ? "choice.network-strength" : "choice.network", {
      model,
      strength: words.number(strength ?? 0),
    }),
  );
  if (seconds)
    parts.push(words.say(here ? "choice.seconds-here" : "choice.seconds", { seconds: words.seconds(seconds) }));
  return parts.join(words.spaced() ? " " : "");
}

const REASONS = [
  [/^photograph$/, "reason.photograph"],
  [/^drawn$/, "reason.drawn"],
  [/^clean$/, "reason.clean"],
  [/^JPEG quality (\d+)$/, "reason.jpeg"],
  [/^before that (\d+)$/, "reason.before"],
  [/^noise (\d+)$/, "reason.noise"],
];

/** Translate what the engine saw: "photograph, JPEG quality 61, 4:2:0". What is not known stays as it is. */
function reasonWords(reason, words) {
  const translate = (part) => {
    for (const [pattern, key] of REASONS) {
      const found = pattern.exec(part);
      if (found) return words.say(key, { number: found[1] });
    }
    return part;
  };
  return reason.split(", ").map(translate).join(words.say("reason.comma"));
}
