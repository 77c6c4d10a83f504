// Drawn or photographed? The measures of kakudai/analyse/drawn.py, weighed by the logistic model in its drawn.toml,
// which models.json carries.

import { AREA_SIDE, thinned } from "./sample.js";

const SIZES = [[1, AREA_SIDE / 2], [2, AREA_SIDE], [4, AREA_SIDE]]; // prettier-ignore
const FEWEST_PIXELS = 128;
const TINY = 1024;
const OWN_COLOUR = 0.6;
const ICON = 0.95;
const BLOCK = 8;
const EDGE_LEVELS = 24;
const LINE = 2;
const BY_CAMERA = 3;

// Return how likely it is that the picture was drawn, 0 to 1; null where there is too little of it to tell.
//   weights: name of a measure -> {mean, spread, weight}; byCamera: a camera has written the file
export function drawnProbability(areas, weights, byCamera = false) {
  const count = visiblePixels(areas);
  if (count < FEWEST_PIXELS) return null;
  if (count < TINY) return isIcon(areas) ? ICON : null;
  const measures = drawnMeasures(areas);
  if (!measures) return null;
  let score = weights.bias.weight - BY_CAMERA * Number(byCamera);
  for (const [name, value] of Object.entries(measures)) {
    const { mean, spread, weight } = weights[name];
    score += weight * clip((value - mean) / spread, 3);
  }
  return 1 / (1 + Math.exp(-clip(score, 30)));
}

function clip(value, limit) {
  return Math.min(limit, Math.max(-limit, value));
}

function visiblePixels(areas) {
  const seen = ({ width, height, visible }) =>
    visible ? visible.reduce((sum, value) => sum + value, 0) : width * height;
  return areas.reduce((sum, area) => sum + seen(area), 0);
}

function isTransparent(areas) {
  const pixels = areas.reduce((sum, { width, height }) => sum + width * height, 0);
  return visiblePixels(areas) < 0.99 * pixels;
}

// Say whether a tiny picture has few colours, or transparent parts.
function isIcon(areas) {
  if (isTransparent(areas)) return true;
  const colours = areas.flatMap(({ planes }) =>
    Array.from(planes[0], (_, k) => planes.map((plane) => plane[k]).join()),
  );
  return new Set(colours).size < OWN_COLOUR * colours.length;
}

// Measure what tells drawings from photographs; null if the picture is narrower than a square. A size that the picture
// is too small for has the measures of the one before.
export function drawnMeasures(areas) {
  const found = { transparent: Number(isTransparent(areas)) };
  let measures = null;
  for (const [size, side] of SIZES) {
    const parts = thinned(areas, side).map((area) => shrunk(area, size));
    const fits = Math.min(parts[0].width, parts[0].height) >= BLOCK;
    if (fits && parts.some(({ seen }) => seen.includes(1))) measures = measure(parts);
    for (const [name, value] of Object.entries(measures ?? {})) found[`${name}_${size}`] = value;
  }
  return measures && found;
}

// Take the mean of squares of pixels, and lay them on white where any is hidden; three planes, also of grey.
function shrunk({ width, height, planes, visible }, size) {
  let seen = visible ?? new Uint8Array(width * height).fill(1);
  for (; size > 1; size /= 2) {
    const half = { width: width >> 1, height: height >> 1 };
    const pool = (data, join, Kind) => {
      const output = new Kind(half.width * half.height);
      for (let row = 0, to = 0; row < half.height; row++) {
        for (let column = 0; column < half.width; column++, to++) {
          const at = 2 * row * width + 2 * column;
          output[to] = join(data[at], data[at + 1], data[at + width], data[at + width + 1]);
        }
      }
      return output;
    };
    planes = planes.map((plane) => pool(plane, (a, b, c, d) => (a + b + c + d) / 4, Float32Array));
    seen = pool(seen, (a, b, c, d) => a & b & c & d, Uint8Array);
    ({ width, height } = half);
  }
  const white = planes.map((plane) => plane.map((value, k) => (seen[k] ? value : 255)));
  return { width, height, seen, planes: white.length === 3 ? white : [white[0], white[0], white[0]] };
}

// Return the measures of one size, by name.
function measure(parts) {
  const lumas = parts.map(({ planes: [r, g, b] }) => r.map((red, k) => 0.299 * red + 0.587 * g[k] + 0.114 * b[k]));
  const measures = {};
  const percentiles = (name, values, shares) => {
    const sorted = Float32Array.from(values).sort();
    for (const share of shares) measures[`${name}_${share}`] = Math.log2(1 + percentile(sorted, share));
  };
  percentiles(
    "strong",
    strongColours(parts).filter((_, k) => k % 5 === 0),
    [50, 90],
  );
  const steps = stepsOf(parts);
  measures.steps_none = share(steps, (value) => value < 0.5);
  percentiles(
    "steps",
    steps.filter((_, k) => k % 4 === 0),
    [25, 50, 75, 90],
  );
  const dark = inkOf(parts, lumas);
  measures.dark = Math.log2(1 + (dark.length ? meanOf(dark) : 0));
  measures.dark_lines = share(dark, (value) => value > EDGE_LEVELS);
  const squares = parts.flatMap((part, k) => squaresOf(part, lumas[k]));
  percentiles(
    "contrast",
    squares.map((square) => Math.sqrt(varianceOf(square))),
    [10, 25, 50, 75],
  );
  const lively = squares.filter((square) => reachOf(square) > EDGE_LEVELS);
  measures.lively = squares.length ? lively.length / squares.length : 0;
  return Object.assign(measures, edgesOf(lively));
}

function share(values, test) {
  return values.length ? values.reduce((count, value) => count + (test(value) ? 1 : 0), 0) / values.length : 0;
}

function meanOf(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

// Interpolate between the two nearest of sorted values, as numpy does; 0 of nothing.
function percentile(sorted, share) {
  if (!sorted.length) return 0;
  const at = ((sorted.length - 1) * share) / 100;
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

// Return the difference between the largest and the smallest channel of each visible pixel.
function strongColours(parts) {
  return joined(parts, ({ planes: [r, g, b], seen }, add) => {
    for (let k = 0; k < r.length; k++) {
      if (seen[k]) add(Math.max(r[k], g[k], b[k]) - Math.min(r[k], g[k], b[k]));
    }
  });
}

function joined(parts, fill) {
  const most = parts.reduce((sum, { planes }) => sum + planes[0].length, 0);
  const output = new Float32Array(most);
  let count = 0;
  for (const part of parts) fill(part, (value) => (output[count++] = value));
  return output.subarray(0, count);
}

// Return the largest difference of a channel between each pixel and its lower, and then its right neighbour.
function stepsOf(parts) {
  const differences = (down) =>
    joined(parts, ({ width, height, planes, seen }, add) => {
      const far = down ? width : 1;
      for (let row = 0; row < height - (down ? 1 : 0); row++) {
        for (let column = 0; column < width - (down ? 0 : 1); column++) {
          const k = row * width + column;
          if (seen[k] && seen[k + far]) add(Math.max(...planes.map((plane) => Math.abs(plane[k + far] - plane[k]))));
        }
      }
    });
  return Float32Array.from([...differences(true), ...differences(false)]);
}

// Return how much there is of thin dark lines on what is wider: what a closing of 5x5 pixels fills.
function inkOf(parts, lumas) {
  const { width, height } = parts[0];
  if (Math.min(width, height) <= 4 * LINE) return new Float32Array(0);
  const across = width - 4 * LINE;
  let number = 0;
  return joined(parts, ({ seen }, add) => {
    const luma = lumas[number++];
    const wide = around(luma, width, height, Math.max);
    const filled = around(wide, width - 2 * LINE, height - 2 * LINE, Math.min);
    for (let k = 0; k < filled.length; k++) {
      const at = (Math.floor(k / across) + 2 * LINE) * width + (k % across) + 2 * LINE;
      if (seen[at]) add(filled[k] - luma[at]);
    }
  });
}

// Return the largest, or smallest, value of the 5x5 around each pixel; the result is four pixels smaller each way.
function around(plane, width, height, extreme) {
  const [across, down] = [width - 2 * LINE, height - 2 * LINE];
  const rows = new Float32Array(width * down);
  for (let k = 0; k < rows.length; k++) {
    rows[k] = extreme(plane[k], plane[k + width], plane[k + 2 * width], plane[k + 3 * width], plane[k + 4 * width]);
  }
  return Float32Array.from({ length: across * down }, (_, k) => {
    const at = Math.floor(k / across) * width + (k % across);
    return extreme(rows[at], rows[at + 1], rows[at + 2], rows[at + 3], rows[at + 4]);
  });
}

// Return the brightness of the squares that are visible as a whole.
function squaresOf({ width, height, seen }, luma) {
  const found = [];
  for (let top = 0; top + BLOCK <= height; top += BLOCK) {
    for (let left = 0; left + BLOCK <= width; left += BLOCK) {
      const places = Array.from({ length: BLOCK ** 2 }, (_, k) => (top + (k >> 3)) * width + left + (k & 7));
      if (places.every((at) => seen[at])) found.push(Float32Array.from(places, (at) => luma[at]));
    }
  }
  return found;
}

function varianceOf(values) {
  const mean = meanOf(values);
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}

function reachOf(square) {
  return Math.max(...square) - Math.min(...square);
}

// Say what edges look like, in the squares in which there are some.
function edgesOf(squares) {
  const units = squares.length ? squares.map(unitOf) : [new Float64Array(BLOCK ** 2)];
  let quiet = 0;
  for (const unit of units) {
    for (let row = 0; row < BLOCK - 1; row++) {
      for (let column = 0; column < BLOCK - 1; column++) {
        const k = row * BLOCK + column;
        if (Math.max(Math.abs(unit[k + BLOCK] - unit[k]), Math.abs(unit[k + 1] - unit[k])) < 0.03) quiet += 1;
      }
    }
  }
  const two = units.map(twoTones);
  return {
    quiet: quiet / (units.length * (BLOCK - 1) ** 2),
    two_tones: meanOf(two),
    only_two_tones: share(two, (value) => value > 0.9),
  };
}

function unitOf(square) {
  const low = Math.min(...square);
  const reach = reachOf(square);
  return Float64Array.from(square, (value) => (value - low) / reach);
}

// Return the share of the variance that two tones account for.
function twoTones(unit) {
  const light = unit.filter((value) => value > 0.5);
  const part = light.length / unit.length;
  const above = light.reduce((sum, value) => sum + value, 0) / unit.length;
  const below = meanOf(unit) - above;
  const apart = above / Math.max(part, 1e-3) - below / Math.max(1 - part, 1e-3);
  return (part * (1 - part) * apart ** 2) / (varianceOf(unit) + 1e-6);
}
