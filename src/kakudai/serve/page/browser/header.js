// What the first bytes of a JPEG file say of its compression. The rules of kakudai/analyse/jpeg_file.py and
// kakudai/analyse/quantisation.py; no byte is believed.

const SCAN = 0xda;
const END = 0xd9;
const TABLES = 0xdb;
const NO_FRAMES = [0xc4, 0xc8, 0xcc];
const PROGRESSIVE = [0xc2, 0xc6, 0xca, 0xce];
const LOSSLESS = [0xc3, 0xc7, 0xcb, 0xcf];
const MAX_SEGMENTS = 10_000;
const MAX_TABLES = 2048;
const CHROMA = { "1x1": "4:4:4", "2x1": "4:2:2", "2x2": "4:2:0", "1x2": "4:4:0", "4x1": "4:1:1", "4x2": "4:1:0" };

// Steps at quality 50, and the order of a file's tables. Source: ITU-T T.81, tables K.1 and K.2, figure 5.
// prettier-ignore
const LUMA = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
  87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
  72, 92, 95, 98, 112, 100, 103, 99,
];
// prettier-ignore
const COLOUR = [
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66,
  ...new Array(38).fill(99),
];
const ZIGZAG = zigzag();

// Return {quality, chromaQuality, chroma, progressive, steps} of a JPEG file, or null where the bytes are none, or make
// no sense. The quality of colour is null for grey, and where all components share a table.
export function readJpegHistory(bytes) {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8 || bytes[2] !== 0xff) return null;
  const known = new Map();
  let frame = null;
  let size = 2;
  for (const { marker, start, end } of segments(bytes)) {
    const isFrame = marker >= 0xc0 && marker <= 0xcf && !NO_FRAMES.includes(marker);
    if (marker !== TABLES && !isFrame) continue;
    size += end - start;
    if (size > MAX_TABLES) break;
    const body = bytes.subarray(start + 4, end);
    if (marker === TABLES) readTables(body, known);
    else frame ??= readFrame(marker, body);
  }
  if (frame === null || LOSSLESS.includes(frame.marker)) return null;
  if (frame.components.some(({ table }) => known.get(table)?.includes(0) ?? true)) return null;
  const steps = known.get(frame.components[0].table);
  const shares = new Set(frame.components.map(({ table }) => table)).size === 1;
  const colour = frame.components.length === 3 && !shares ? known.get(frame.components[1].table) : null;
  return {
    quality: qualityOf(steps, LUMA),
    chromaQuality: colour && qualityOf(colour, COLOUR),
    chroma: chromaOf(frame.components),
    progressive: PROGRESSIVE.includes(frame.marker),
    steps,
  };
}

const MAKE = 0x010f;
const BELOW = 0x8769; // where the directory with exposure, aperture and time lies
const TAKEN = [0x829a, 0x829d, 0x9003];
const MOST_ENTRIES = 1000;

// Say whether a camera has written a JPEG file: its EXIF block names a maker, and when or how the picture was taken.
// The rule of is_by_camera in kakudai/image/exif.py.
export function isByCamera(bytes) {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return false;
  const isExif = ({ marker, start, end }) => marker === 0xe1 && end - start >= 18 && startsExif(bytes, start + 4);
  const found = segments(bytes).find(isExif);
  if (!found) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset + found.start + 10, found.end - found.start - 10);
  const order = { 0x49492a00: true, 0x4d4d002a: false }[view.getUint32(0)]; // whether the small end comes first
  if (order === undefined) return false;
  const first = directory(view, view.getUint32(4, order), order);
  return first.has(MAKE) && TAKEN.some((tag) => directory(view, first.get(BELOW) ?? 0, order).has(tag));
}

function startsExif(bytes, at) {
  return [0x45, 0x78, 0x69, 0x66, 0, 0].every((value, k) => bytes[at + k] === value);
}

// Return tag -> the four bytes behind it, of the directory of an EXIF block; nothing where it is not whole.
function directory(view, at, order) {
  const found = new Map();
  if (at < 8 || at + 2 > view.byteLength) return found;
  const count = Math.min(view.getUint16(at, order), MOST_ENTRIES, Math.floor((view.byteLength - at - 2) / 12));
  for (let k = 0; k < count; k++) {
    const entry = at + 2 + 12 * k;
    found.set(view.getUint16(entry, order), view.getUint32(entry + 8, order));
  }
  return found;
}

// Return the whole segments before the pixels; what else stands between them is passed over, as decoders do.
function segments(bytes) {
  const found = [];
  let position = 2;
  for (let count = 0; count < MAX_SEGMENTS; count++) {
    while (position + 1 < bytes.length) {
      const next = bytes[position + 1];
      if (bytes[position] === 0xff && next !== 0x00 && next !== 0xff) break;
      position += 1;
    }
    if (position + 1 >= bytes.length) break;
    const start = position;
    const marker = bytes[start + 1];
    position += 2;
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    if (marker === SCAN || marker === END || start + 4 > bytes.length) break;
    position += bytes[start + 2] * 256 + bytes[start + 3];
    if (position < start + 4 || position > bytes.length) break;
    found.push({ marker, start, end: position });
  }
  return found;
}

function readTables(body, known) {
  while (body.length) {
    const wide = body[0] >> 4;
    const number = body[0] & 15;
    const length = 1 + 64 * (wide ? 2 : 1);
    if (wide > 1 || number > 3 || body.length < length) return;
    const steps = new Array(64);
    for (let k = 0; k < 64; k++) steps[ZIGZAG[k]] = wide ? body[1 + 2 * k] * 256 + body[2 + 2 * k] : body[1 + k];
    known.set(number, steps);
    body = body.subarray(length);
  }
}

function readFrame(marker, body) {
  const count = body.length >= 6 ? body[5] : 0;
  if (![1, 3, 4].includes(count) || body.length < 6 + 3 * count) return null;
  const components = Array.from({ length: count }, (_, k) => ({
    across: body[7 + 3 * k] >> 4,
    down: body[7 + 3 * k] & 15,
    table: body[8 + 3 * k],
  }));
  const sensible = (factor) => factor >= 1 && factor <= 4;
  return components.every(({ across, down }) => sensible(across) && sensible(down)) ? { marker, components } : null;
}

function chromaOf(components) {
  if (components.length !== 3) return components.length === 1 ? "grey" : "CMYK";
  const shared = [components[0].across / components[1].across, components[0].down / components[1].down];
  const name = shared.map((value) => Number(value.toPrecision(6))).join("x");
  return CHROMA[name] ?? name;
}

// Return the quality whose table is most like this one, by the mean ratio of the steps; of equals the higher.
//   standard: the table of quality 50, of brightness or of colour
export function qualityOf(steps, standard = LUMA) {
  let best = 100;
  let least = Infinity;
  for (let quality = 100; quality >= 1; quality--) {
    const table = tableOf(quality, standard);
    let distance = 0;
    for (let k = 0; k < 64; k++) distance += Math.abs(Math.log(table[k] / Math.max(steps[k], 1)));
    if (distance < least) {
      least = distance;
      best = quality;
    }
  }
  return best;
}

// libjpeg's table of a quality. Source: its jpeg_quality_scaling.
function tableOf(quality, standard) {
  const percent = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality;
  return standard.map((step) => Math.min(255, Math.max(1, Math.floor((step * percent + 50) / 100))));
}

// Return for each place in a file's table which of the 64 steps, counted row by row, stands there.
function zigzag() {
  const places = Array.from({ length: 64 }, (_, k) => ({ k, row: k >> 3, column: k & 7 }));
  const along = ({ row, column }) => ((row + column) % 2 ? row : column);
  places.sort((a, b) => a.row + a.column - b.row - b.column || along(a) - along(b));
  return places.map(({ k }) => k);
}
