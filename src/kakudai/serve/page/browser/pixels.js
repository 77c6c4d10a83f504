// Between files and pixels without loss. A canvas keeps colours multiplied by alpha, which costs up to half the levels
// of what is nearly transparent and all of what is hidden; so pictures with alpha go another way where the browser has
// one.

import { crc32 } from "./crc32.js";
import { Problem } from "./problem.js";

const OPAQUE = ["image/jpeg", "image/bmp"];
const ROWS = 64;

// Read a picture's file: sRGB, 8 bits, straight alpha, turned as its EXIF says. Of an animation the first frame.
export async function readPixels(file) {
  const bitmap = await createImageBitmap(file, { premultiplyAlpha: "none" }).catch(() => {
    throw new Problem("Not a picture", "this browser cannot read it", "save it as PNG or JPEG");
  });
  try {
    const straight = OPAQUE.includes(file.type) ? null : await copied(bitmap).catch(() => null);
    return straight ?? drawn(bitmap);
  } finally {
    bitmap.close();
  }
}

// Take the pixels as they are, by way of a frame of a video, which nothing multiplies; null where that cannot be done.
async function copied(bitmap) {
  if (typeof VideoFrame === "undefined") return null;
  const frame = new VideoFrame(bitmap, { timestamp: 0 });
  try {
    const { width, height } = bitmap;
    const { primaries, transfer } = frame.colorSpace;
    const srgb = [null, "bt709"].includes(primaries) && [null, "iec61966-2-1"].includes(transfer);
    if (!srgb || !["RGBA", "BGRA"].includes(frame.format)) return null;
    const pixels = new ImageData(width, height);
    await frame.copyTo(pixels.data, { layout: [{ offset: 0, stride: 4 * width }] });
    if (frame.format === "BGRA") swapRedAndBlue(pixels.data);
    return pixels;
  } finally {
    frame.close();
  }
}

function swapRedAndBlue(data) {
  for (let k = 0; k < data.length; k += 4) [data[k], data[k + 2]] = [data[k + 2], data[k]];
}

function drawn(bitmap) {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

// Write pixels as a file of a type: image/png, image/jpeg (laid on white) or image/webp. PNG is exact.
//   quality: 1 to 100
export async function writePixels(pixels, type = "image/png", quality = 90) {
  const opaque = pixels.data.every((value, k) => k % 4 !== 3 || value === 255);
  if (type === "image/png" && !opaque) return encodePng(pixels);
  const canvas = new OffscreenCanvas(pixels.width, pixels.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.putImageData(pixels, 0, 0);
  if (type === "image/jpeg" && !opaque) {
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, pixels.width, pixels.height);
  }
  const blob = await canvas.convertToBlob({ type, quality: quality / 100 });
  if (blob.type === type) return blob;
  throw new Problem("Format not written here", `this browser cannot write ${type}`, "choose PNG");
}

// Write 8-bit RGBA as PNG, straight alpha and all.
export async function encodePng({ data, width, height }) {
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header.set([8, 6], 8);
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const rows = new Blob(await deflated(filtered(data, width * 4, height)));
  const pixels = chunk("IDAT", new Uint8Array(await rows.arrayBuffer()));
  const parts = [
    signature,
    chunk("IHDR", header),
    chunk("sRGB", new Uint8Array(1)),
    pixels,
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Blob(parts, { type: "image/png" });
}

async function deflated(pieces) {
  const packer = new CompressionStream("deflate");
  const writer = packer.writable.getWriter();
  const writing = (async () => {
    for (const piece of pieces) await writer.write(piece);
    await writer.close();
  })();
  const found = [];
  const reader = packer.readable.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) found.push(part.value);
  await writing;
  return found;
}

// Yield rows, each with the filter (none, the pixel before, the one above) that leaves the least.
function* filtered(data, length, height) {
  const tries = [0, 1, 2].map((kind) => ({ kind, row: new Uint8Array(length + 1), sum: 0 }));
  for (let top = 0; top < height; top += ROWS) {
    const count = Math.min(ROWS, height - top);
    const piece = new Uint8Array(count * (length + 1));
    for (let k = 0; k < count; k++) {
      for (const one of tries) filter(data, (top + k) * length, length, one);
      piece.set(tries.reduce((best, one) => (one.sum < best.sum ? one : best)).row, k * (length + 1));
    }
    yield piece;
  }
}

function filter(data, start, length, one) {
  const back = [0, 4, length][one.kind];
  const exists = one.kind === 2 ? start > 0 : one.kind === 1;
  one.row[0] = one.kind;
  one.sum = 0;
  for (let k = 0; k < length; k++) {
    const before = exists && (one.kind === 2 || k >= 4) ? data[start + k - back] : 0;
    const value = (data[start + k] - before) & 255;
    one.row[k + 1] = value;
    one.sum += value < 128 ? value : 256 - value;
  }
}

function chunk(name, body) {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  bytes.set(
    [...name].map((letter) => letter.charCodeAt(0)),
    4,
  );
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc32(bytes.subarray(4, 8 + body.length)));
  return bytes;
}
