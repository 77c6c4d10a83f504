// A part of a picture, enlarged as the whole picture would be: with what the networks see around it. See
// kakudai/serve/region.py.

import { reachOf } from "./plan.js";
import { Problem } from "./problem.js";
import { newImage } from "./tiles.js";

const MARGIN = 16; // Input pixels that resizing looks at, and a few more.
const FINEST = 16;

// Return the part that has to be enlarged for a region [x, y, width, height] to come out as in the whole picture. Its
// corner is where pixels of the input and of the output begin together, as far as the ratio allows.
export function surroundings([left, top, across, down], { width, height }, tools, ratio) {
  const margin = 2 * reachOf(tools) + MARGIN;
  const used = [tools.enlarging, tools.denoising, tools.combined].filter(Boolean);
  const step = used.reduce((common, { model }) => commonMultiple(common, model.multiple), denominatorOf(ratio));
  const first = (edge) => Math.max(0, Math.floor((edge - margin) / step) * step);
  const last = (edge, end) => Math.min(end, Math.ceil((edge + margin) / step) * step);
  const [x, y] = [first(left), first(top)];
  return [x, y, last(left + across, width) - x, last(top + down, height) - y];
}

// Return the denominator, at most 16, of the fraction that comes nearest to a number.
function denominatorOf(value) {
  const miss = (d) => Math.abs(value - Math.round(value * d) / d);
  let best = 1;
  for (let d = 2; d <= FINEST; d++) if (miss(d) < miss(best) - 1e-12) best = d;
  return best;
}

function commonMultiple(a, b) {
  let [x, y] = [a, b];
  while (y) [x, y] = [y, x % y];
  return (a / x) * b;
}

export function checkRegion(region, { width, height }) {
  const whole = Array.isArray(region) && region.length === 4 && region.every(Number.isInteger);
  const [x, y, across, down] = whole ? region : [0, 0, 0, 0];
  if (x >= 0 && y >= 0 && across >= 1 && down >= 1 && x + across <= width && y + down <= height) return;
  throw new Problem(
    "Region outside",
    `the region is ${region} of ${width}x${height}`,
    "accepted is [x, y, width, height]",
  );
}

export function cutImage(image, [x, y, width, height]) {
  const output = newImage(width, height, image.channels, image.data.BYTES_PER_ELEMENT * 8);
  const length = width * image.channels;
  for (let row = 0; row < height; row++) {
    const start = ((y + row) * image.width + x) * image.channels;
    output.data.set(image.data.subarray(start, start + length), row * length);
  }
  return output;
}

// Say where a region lies in the result of its surroundings.
export function placeIn(region, area, ratio, result) {
  const at = (value) => Math.round(value * ratio);
  const [x, y] = [at(region[0] - area[0]), at(region[1] - area[1])];
  const [width, height] = [Math.max(1, at(region[2])), Math.max(1, at(region[3]))];
  return [x, y, Math.min(width, result.width - x), Math.min(height, result.height - y)];
}
