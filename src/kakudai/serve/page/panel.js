// The panel beside the stage: what is known of the picture, help beside each field, progress, and the buttons.

import { isBusy, isPending } from "./items.js";
import { checkResult, nameOfFormat } from "./limits.js";
import { explain, sentence } from "./problems.js";
import { choiceWords } from "./reasons.js";
import { stateWords } from "./strip.js";
import { middle } from "./work.js";
import { fitsZip } from "./zip.js";

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
      item.format && nameOfFormat(item.format),
    ]
      .filter(Boolean)
      .join(" · ");
    const { result } = item;
    choice.hidden = !result;
    if (result) choice.textContent = choiceWords(result, words);
    notes.hidden = !result?.notes?.length;
    const said = (result?.notes ?? []).map(sentence);
    notes.replaceChildren(
      ...said.map((textContent) => Object.assign(document.createElement("li"), { textContent })),
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
    const auto = options.denoise === "auto";
    find("#strength").disabled = auto || !capability.restores;
    find("#denoise-auto").disabled = !capability.restores;
    find("#strength-value").textContent = auto ? "" : words.number(Number(options.denoise));
    find("#denoise-help").textContent = words.say(
      !capability.restores ? "denoise.none-here" : auto ? "denoise.help.auto" : strengthKey(Number(options.denoise)),
    );
    for (const id of ["#tta", "#strip-metadata"]) find(id).disabled = settings.here();
    find("#quality").disabled = !settings.lossy();
    find("#privacy").textContent = privacy();
  }

  function modelHelp(model) {
    const key = { auto: "model.help.auto", photo: "model.help.photo", art: "model.help.art" }[model];
    return words.say(key ?? "model.help.named", { name: model });
  }

  function privacy() {
    if (settings.here()) return words.say("privacy.here");
    const life = words.seconds(capability.limits.life_seconds);
    const kept = capability.keepsPlace ? "privacy.kept-with-place" : "privacy.kept";
    return [
      words.say("privacy.server", { host: location.host, life }),
      ...(settings.options().strip ? [] : [words.say(kept)]),
    ].join(words.spaced() ? " " : "");
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
    const taken = items.all.filter((one) => !["checking", "refused"].includes(one.state));
    const done = taken.filter((one) => one.state === "done").length;
    const many = taken.length > 1;
    const shareOf = (one) => (one.state === "ready" ? 0 : isBusy(one) ? one.share : 1);
    if (many) bar.value = taken.reduce((sum, one) => sum + shareOf(one), 0) / taken.length;
    const counted = words.say("progress.many", { done: words.number(done), all: words.number(taken.length) });
    progress.querySelector(".progress-state").textContent = many ? counted : stateWords(shown, words);
    progress.querySelector(".progress-left").textContent =
      !many && shown.secondsLeft && shown.state === "running"
        ? words.say("progress.left", { time: words.seconds(Math.max(1, Math.round(shown.secondsLeft))) })
        : "";
  }

  function drawButtons(item, { pending, busy, allowed }) {
    const [start, download, preview, cancel] = ["#start", "#download", "#preview", "#cancel"].map(find);
    const pressed = document.activeElement;
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
    const results = items.all.filter((one) => one.result).map((one) => one.result);
    find("#zip").hidden = results.length < 2 || busy.length > 0 || !fitsZip(results);
    preview.hidden =
      !item || busy.length > 0 || !isPending(item, settings.signature()) || !middle([item.width, item.height]);
    preview.disabled = !allowed;
    cancel.hidden = !busy.length;
    cancel.textContent = words.say(busy.length > 1 ? "action.cancel-all" : "action.cancel");
    if (pressed?.hidden && pressed.closest(".action")) {
      [download, start, cancel].find((button) => !button.hidden && !button.disabled)?.focus(); // else it is nowhere
    }
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

