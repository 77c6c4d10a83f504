// What a picture's file says of itself: its format and size, read from its first bytes without decoding it.

const HEAD = 1 << 18;

/** Return {format, width, height} of a file, with 0 for sizes not found; null where it is no picture we know. */
export async function readHeader(file) {
  const view = new DataView(await file.slice(0, HEAD).arrayBuffer());
  const text = (at, length) =>
    at + length <= view.byteLength ? String.fromCharCode(...new Uint8Array(view.buffer, at, length)) : "";
  try {
    if (text(1, 3) === "PNG") return { format: "png", width: view.getUint32(16), height: view.getUint32(20) };
    if (text(0, 3) === "GIF") return { format: "gif", width: view.getUint16(6, true), height: view.getUint16(8, true) };
    if (text(0, 2) === "BM")
      return { format: "bmp", width: view.getInt32(18, true), height: Math.abs(view.getInt32(22, true)) };
    if (text(0, 4) === "RIFF" && text(8, 4) === "WEBP") return { format: "webp", ...webp(view, text(12, 4)) };
    if (text(4, 4) === "ftyp" && /avi[fs]/.test(text(8, 24))) return { format: "avif", ...avif(view) };
    if (text(4, 4) === "ftyp" && /hei[cxms]|hev[cx]/.test(text(8, 24))) return { format: "heic", ...UNKNOWN }; // turned
    if (text(4, 4) === "JXL " || view.getUint16(0) === 0xff0a) return { format: "jxl", ...UNKNOWN };
    if (text(0, 4) === "II*\0" || text(0, 4) === "MM\0*") return { format: "tiff", ...(await tiff(file, view)) };
    if (view.getUint16(0) === 0xffd8) return { format: "jpeg", ...jpeg(view) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // a file that ends too early
  }
  return null;
}

const UNKNOWN = { width: 0, height: 0 };

function jpeg(view) {
  let at = 2;
  while (at + 9 < view.byteLength) {
    const marker = view.getUint16(at);
    if ((marker & 0xff00) !== 0xff00) return UNKNOWN;
    const frame = marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
    if (frame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    at += marker === 0xffff ? 1 : 2 + view.getUint16(at + 2);
  }
  return UNKNOWN;
}

function webp(view, kind) {
  if (kind === "VP8 ") return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  if (kind === "VP8L") {
    const bits = view.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
  }
  const three = (at) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16) + 1;
  return kind === "VP8X" ? { width: three(24), height: three(27) } : UNKNOWN;
}

/** AVIF keeps the sizes of its parts in boxes named "ispe"; the picture is the largest. */
function avif(view) {
  let found = UNKNOWN;
  for (let at = 0; at + 16 < Math.min(view.byteLength, 1 << 14); at += 1) {
    if (view.getUint32(at) !== 0x69737065) continue;
    const [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
    if (width * height > found.width * found.height) found = { width, height };
  }
  return found;
}

async function tiff(file, head) {
  const little = head.getUint8(0) === 0x49;
  const start = head.getUint32(4, little);
  const view = new DataView(await file.slice(start, start + 2 + 12 * 64).arrayBuffer());
  const found = { ...UNKNOWN };
  for (let entry = 0; entry < Math.min(view.getUint16(0, little), 64); entry += 1) {
    const at = 2 + 12 * entry;
    const name = { 256: "width", 257: "height" }[view.getUint16(at, little)];
    if (name)
      found[name] =
        view.getUint16(at + 2, little) === 3 ? view.getUint16(at + 8, little) : view.getUint32(at + 8, little);
  }
  return found;
}
