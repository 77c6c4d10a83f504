// What a picture needs, found by looking at it: the rules of kakudai/engine/choice.py. What is not looked for here is
// JPEG's traces in the pixels: a picture that is no JPEG file any more, or was one twice, gets less than it may need.

import { drawnProbability } from "./drawn.js";
import { isByCamera, readJpegHistory } from "./header.js";
import { noiseLevel } from "./noise.js";
import { areasOf } from "./sample.js";

const BLOCK = 8;
const TINY = 1024;
const SURE = 0.9;
const [NARROW, SMALL] = ["too narrow to tell", "too small to tell"];
const CLEAN_QUALITY = 97;
const CLEAN_TRACES = 91;
const WORSE = 10;
const CLEAN_NOISE = 5;
const LARGEST_SIGMA = 40;
const WORST_STEPS = 5;

// Return {style, strength, reason} for a picture: color and alpha (or null) are images, bytes its file, or null.
export function choose(family, wish, { color, alpha, bytes }, weights) {
  const styles = family.styles(wish.model);
  const auto = wish.denoise === "auto";
  const told = family.models.get(wish.model)?.strength === "plane";
  const looks = family.isWord(wish.model)
    ? styles.length > 1 || (auto && styles.some((style) => family.restores(style)))
    : auto && told;
  if (!looks) return { style: styles[0] ?? "photo", strength: auto ? 0 : wish.denoise, reason: "" };
  const areas = areasOf(color, alpha);
  let style = styles[0];
  const words = [];
  if (styles.length !== 1) {
    const drawn = drawnProbability(areas, weights, Boolean(bytes) && isByCamera(bytes));
    style = (drawn ?? 0) > 0.5 ? "art" : "photo";
    const visible = !alpha || alpha.data.some((value) => value > 0);
    words.push(visible ? describeKind(drawn, color.width, color.height) : "nothing visible");
  }
  if (!auto) return { style, strength: wish.denoise, reason: words.join(", ") };
  const found = strengthOf(bytes && readJpegHistory(bytes), style === "photo" ? noiseLevel(areas) : null);
  return { style, strength: found.strength, reason: [...words, found.reason].join(", ") };
}

// Say what a picture of that size is, by the probability that it was drawn.
function describeKind(drawn, width, height) {
  if (drawn === null) return Math.min(width, height) < BLOCK && width * height >= TINY ? NARROW : SMALL;
  const [kind, sure] = drawn > 0.5 ? ["drawn", drawn] : ["a photograph", 1 - drawn];
  return sure >= SURE ? kind.replace("a ", "") : `probably ${kind}`;
}

// Return the strength of denoising that fits the damage, 0 to 100, and what it was seen by.
//   jpeg: what a JPEG file's header says, or null; noise: in levels of 255, null where it does not count
export function strengthOf(jpeg, noise) {
  const parts = [];
  const words = [];
  const ofJpeg = jpeg ? strengthOfJpeg(jpeg) : 0;
  if (ofJpeg) {
    parts.push(ofJpeg);
    words.push(describe(jpeg));
  }
  if (noise !== null && noise > CLEAN_NOISE) {
    parts.push(Math.min(1, noise / LARGEST_SIGMA));
    words.push(`noise ${noise.toFixed(0)}`);
  }
  if (!parts.length) return { strength: 0, reason: jpeg ? "clean" : "clean (earlier JPEG is not looked for here)" };
  return { strength: Math.round(100 * Math.min(1, Math.hypot(...parts))), reason: words.join(", ") };
}

// Return the strength, 0 to 1, that fits what JPEG did; halfway to that of colour where colour fared worse.
function strengthOfJpeg({ quality, chromaQuality }) {
  const luma = quality < CLEAN_QUALITY ? strengthOfQuality(quality) : 0;
  if (chromaQuality === null || chromaQuality >= Math.min(quality, CLEAN_TRACES)) return luma;
  return (luma + strengthOfQuality(chromaQuality)) / 2;
}

function describe({ quality, chromaQuality, chroma }) {
  const words = [`JPEG quality ${quality}`];
  if (chromaQuality !== null && chromaQuality < quality - WORSE) words.push(`${chromaQuality} for colour`);
  if (chroma !== "grey" && chroma !== "CMYK") words.push(chroma);
  return words.join(", ");
}

function strengthOfQuality(quality) {
  const steps = quality >= 50 ? 2 - quality / 50 : 50 / Math.max(quality, 1);
  return Math.min(1, Math.sqrt(Math.max(steps, 0) / WORST_STEPS));
}
