// What was chosen for a picture, and why, in the visitor's words.

/** Say in words what was chosen for a picture, and why. */
export function choiceWords({ model, strength, reason, seconds, options, here }, words) {
  const parts = [];
  const seen = reason && reasonWords(reason, words);
  const chosen = options.model === "auto" || options.denoise === "auto";
  if (seen && chosen) parts.push(words.say("choice.seen", { seen }));
  parts.push(
    words.say(strength > 0 ? "choice.network-strength" : "choice.network", {
      model: model.replace(/, strength \d+$/, ""), // it is told apart
      strength: words.number(strength ?? 0),
    }),
  );
  if (seconds)
    parts.push(words.say(here ? "choice.seconds-here" : "choice.seconds", { seconds: words.seconds(seconds) }));
  return parts.join(words.spaced() ? " " : "");
}

const REASONS = [
  [/^(?:probably a )?photograph$/, "reason.photograph"],
  [/^(?:probably )?drawn$/, "reason.drawn"],
  [/^(?:too (?:small|narrow) to tell|nothing visible)$/, "reason.unknown"],
  [/^clean$/, "reason.clean"],
  [/^clean \(earlier JPEG is not looked for here\)$/, "reason.clean-here"],
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
