// How strong is the noise? Measured where there is least texture: the small eigenvalues of the covariance of patches.
// See kakudai/analyse/noise.py, which names the sources.

const PATCH = 7;
const SIZE = PATCH * PATCH;
const WANTED = 10_000;
const NEEDED = 1000;
const FEWEST = 100;
const CUT_OFF = 5;
const GRADIENT = 277;
const ROUNDS = 15;

// Return the standard deviation of the noise in a channel, in levels of 255; null where too little can be seen.
export function noiseLevel(areas) {
  const pixels = areas.reduce((sum, area) => sum + area.width * area.height, 0);
  const step = Math.max(1, Math.floor(Math.sqrt(pixels / WANTED)));
  const variances = areas[0].planes
    .map((_, channel) => varianceOf(areas.flatMap((area) => patchesOf(area, channel, step))))
    .filter((variance) => variance !== null);
  return variances.length ? Math.sqrt(variances.reduce((sum, value) => sum + value, 0) / variances.length) : null;
}

// Return the patches that are visible and hardly cut off.
function patchesOf({ width, height, planes, visible }, channel, step) {
  const plane = planes[channel];
  const found = [];
  for (let top = 0; top + PATCH <= height; top += step) {
    for (let left = 0; left + PATCH <= width; left += step) {
      const patch = new Float64Array(SIZE);
      let lost = 0;
      for (let k = 0; k < SIZE; k++) {
        const at = (top + Math.floor(k / PATCH)) * width + left + (k % PATCH);
        patch[k] = plane[at];
        if (plane[at] < 0.5 || plane[at] > 254.5 || (visible && !visible[at])) lost += 1;
      }
      if (lost <= CUT_OFF) found.push(patch);
    }
  }
  return found;
}

// Return the variance of the noise in patches; null where there are too few.
function varianceOf(patches) {
  if (patches.length < NEEDED) return null;
  const gradients = patches.map(gradientOf);
  const fewest = Float64Array.from(gradients).sort()[FEWEST - 1];
  let chosen = patches;
  let variance = floorOf(chosen);
  for (let round = 0; round < ROUNDS; round++) {
    const below = (limit) => patches.filter((_, k) => gradients[k] <= limit);
    let smooth = below(GRADIENT * variance);
    if (smooth.length < FEWEST) smooth = below(fewest);
    if (smooth.length === chosen.length) break;
    chosen = smooth;
    variance = floorOf(chosen);
  }
  return variance;
}

function gradientOf(patch) {
  let sum = 0;
  for (let k = 0; k < SIZE; k++) {
    if (k + PATCH < SIZE) sum += (patch[k + PATCH] - patch[k]) ** 2;
    if (k % PATCH < PATCH - 1) sum += (patch[k + 1] - patch[k]) ** 2;
  }
  return sum;
}

// Return the mean of the eigenvalues of the covariance that only noise accounts for: the largest are dropped until the
// mean of the rest is not above their median.
function floorOf(patches) {
  const values = eigenvalues(covariance(patches), SIZE);
  let count = SIZE;
  let sum = values.reduce((total, value) => total + value, 0);
  while (count > 1 && sum / count > median(values, count)) {
    count -= 1;
    sum -= values[count];
  }
  return Math.max(0, median(values, count));
}

function median(values, count) {
  const middle = Math.floor(count / 2);
  return count % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

function covariance(patches) {
  const mean = new Float64Array(SIZE);
  for (const patch of patches) for (let k = 0; k < SIZE; k++) mean[k] += patch[k] / patches.length;
  const matrix = new Float64Array(SIZE * SIZE);
  const centred = new Float64Array(SIZE);
  for (const patch of patches) {
    for (let k = 0; k < SIZE; k++) centred[k] = patch[k] - mean[k];
    for (let i = 0; i < SIZE; i++) {
      const share = centred[i];
      for (let j = 0; j <= i; j++) matrix[i * SIZE + j] += share * centred[j];
    }
  }
  for (let i = 0; i < SIZE; i++) {
    for (let j = 0; j <= i; j++) {
      matrix[i * SIZE + j] /= patches.length;
      matrix[j * SIZE + i] = matrix[i * SIZE + j];
    }
  }
  return matrix;
}

// Return the eigenvalues of a symmetric matrix, smallest first, by Jacobi's rotations. The matrix is used up.
export function eigenvalues(a, n) {
  const total = a.reduce((sum, value) => sum + value * value, 0);
  for (let sweep = 0; sweep < 30; sweep++) {
    let rest = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) rest += a[i * n + j] ** 2;
    if (rest <= 1e-24 * total) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, n, p, q);
  }
  return Float64Array.from({ length: n }, (_, k) => a[k * n + k]).sort();
}

function rotate(a, n, p, q) {
  const apart = a[p * n + q];
  if (apart === 0) return;
  const theta = (a[q * n + q] - a[p * n + p]) / (2 * apart);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let k = 0; k < n; k++) {
    const left = a[k * n + p];
    const right = a[k * n + q];
    a[k * n + p] = c * left - s * right;
    a[k * n + q] = s * left + c * right;
  }
  for (let k = 0; k < n; k++) {
    const up = a[p * n + k];
    const down = a[q * n + k];
    a[p * n + k] = c * up - s * down;
    a[q * n + k] = s * up + c * down;
  }
}
