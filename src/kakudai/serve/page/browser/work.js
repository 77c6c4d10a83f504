// One picture, from pixels to pixels: what is done to it is decided, and carried out. See kakudai/engine/upscaler.py
// and kakudai/engine/work.py. Nothing here knows how a network is run.

import { bleed, stayBetweenNeighbours } from "./alpha.js";
import { choose } from "./choice.js";
import { Family } from "./family.js";
import { runPass } from "./passes.js";
import { labelOf, makePlan, reachOf, readOptions, sizeOf, toolsFor } from "./plan.js";
import { Problem } from "./problem.js";
import { checkRegion, cutImage, placeIn, surroundings } from "./region.js";
import { resize } from "./resize.js";
import { newImage } from "./tiles.js";

// Enlarge a picture, or a region of it.
//   picture: {data, width, height}, RGBA of 8 bits, straight alpha; options.region: [x, y, width, height] in its pixels
//   catalogue: models.json; run(model, x, channels, height, width): promises the planes that a network makes of x
// Returns {data, width, height, model, strength, reason, notes}.
export async function enlarge(picture, options, catalogue, { run, progress = () => {}, tile }) {
  const wish = readOptions(options);
  const { region = null, bytes = null } = options;
  const family = new Family(catalogue);
  const size = sizeOf(wish, picture.width, picture.height);
  const ratio = Math.max(size.width / picture.width, size.height / picture.height);
  if (region) checkRegion(region, picture);
  else checkSize(size, catalogue.limits);
  const parts = split(picture);
  const choice = choose(family, wish, { ...parts, bytes }, catalogue.drawn);
  const tools = toolsFor(family, wish, choice, ratio);
  const work = { run, tile, progress };
  const result = region
    ? await enlargeRegion(parts, region, tools, ratio, work)
    : await enlargeParts(parts, wish, tools, work);
  const { plan } = result;
  const data = joined(result.color, result.alpha, parts.flat);
  const { width, height } = result.color;
  const strength = plan.denoising ? tools.strength : 0;
  return { data, width, height, model: labelOf(tools, plan), strength, reason: choice.reason, notes: tools.notes };
}

async function enlargeRegion(parts, region, tools, ratio, work) {
  const area = surroundings(region, parts.color, tools, ratio);
  const seen = { ...parts, color: cutImage(parts.color, area), alpha: parts.alpha && cutImage(parts.alpha, area) };
  const wish = { scale: ratio, width: null, height: null, fit: null };
  const { plan, color, alpha } = await enlargeParts(seen, wish, tools, work);
  const place = placeIn(region, area, ratio, color);
  return { plan, color: cutImage(color, place), alpha: alpha && !parts.flat ? cutImage(alpha, place) : alpha };
}

// Enlarge colour and alpha; flat alpha stays as it is.
async function enlargeParts({ color, alpha, flat }, wish, tools, { run, tile, progress }) {
  const { width, height } = color;
  const plan = makePlan(wish, width, height, tools);
  const sameSize = plan.width === width && plan.height === height;
  if (!plan.steps.length && sameSize) return { plan, color, alpha };
  const alphaPlan = alpha === null || flat || sameSize ? null : makePlan(wish, width, height, tools, false);
  const work = { run, tile, progress: counter([plan, alphaPlan], width * height, progress) };
  const seen = alpha && !flat ? bleed(color, alpha, reachOf(tools)) : color;
  const output = await carryOut(plan, seen, work, true);
  if (!alphaPlan) return { plan, color: output, alpha };
  return { plan, color: output, alpha: stayBetweenNeighbours(await carryOut(alphaPlan, alpha, work, false), alpha) };
}

function checkSize(size, limits) {
  const pixels = size.width * size.height;
  if (!limits?.output_pixels || pixels <= limits.output_pixels) return;
  const million = (count) => `${Number((count / 1e6).toPrecision(3))} megapixels`;
  const detail = `the result would have ${million(pixels)}`;
  throw new Problem("Too large for the browser", detail, `accepted are up to ${million(limits.output_pixels)}`);
}

// Take colour and alpha apart: colour is one channel where every pixel is grey, for a network that sees colours could
// tint it; alpha is null where all is opaque, flat where all of it is the same.
function split({ data, width, height }) {
  const color = newImage(width, height, isGrey(data) ? 1 : 3);
  const alpha = newImage(width, height, 1);
  for (let k = 0; k < width * height; k++) {
    for (let c = 0; c < color.channels; c++) color.data[k * color.channels + c] = data[4 * k + c];
    alpha.data[k] = data[4 * k + 3];
  }
  const flat = alpha.data.every((value) => value === alpha.data[0]);
  return { color, alpha: flat && alpha.data[0] === 255 ? null : alpha, flat };
}

function isGrey(data) {
  for (let k = 0; k < data.length; k += 4) if (data[k] !== data[k + 1] || data[k] !== data[k + 2]) return false;
  return true;
}

function joined(color, alpha, flat) {
  const { data, width, height, channels } = color;
  const output = new Uint8ClampedArray(4 * width * height);
  for (let k = 0; k < width * height; k++) {
    for (let c = 0; c < 3; c++) output[4 * k + c] = data[k * channels + Math.min(c, channels - 1)];
    output[4 * k + 3] = alpha === null ? 255 : alpha.data[flat ? 0 : k];
  }
  return output;
}

// Return what counts input pixels of passes, and tells the share that is done.
function counter(plans, pixels, progress) {
  let total = 0;
  for (const { steps } of plans.filter(Boolean)) {
    for (let k = 0, size = pixels; k < steps.length; size *= steps[k].model.scale ** 2, k++) total += size;
  }
  let done = 0;
  return (count) => progress((done += count) / total);
}

// Carry out a plan. Between passes, and before the last resize, pictures are kept in 16 bits, so that they are rounded
// once.
async function carryOut(plan, image, { run, tile, progress }, light) {
  const scale = plan.steps.reduce((product, step) => product * step.model.scale, 1);
  const before = { width: image.width, height: image.height };
  const reached = before.width * scale === plan.width && before.height * scale === plan.height;
  for (const [k, { model, strength }] of plan.steps.entries()) {
    const bits = k === plan.steps.length - 1 && reached ? 8 : 16;
    const given = (x, channels, height, width) => run(model, x, channels, height, width);
    image = await runPass(model, given, image, { bits, strength, tile, progress });
  }
  if (reached) return image;
  const shrinks = plan.width <= before.width && plan.height <= before.height;
  const changes = plan.width !== before.width || plan.height !== before.height;
  return resize(image, plan.width, plan.height, { light: light && shrinks && changes });
}
