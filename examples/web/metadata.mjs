// What an exported file says of itself: classes, palette, image size. Neither runtime hands it out, so it is read
// from the bytes of the file.

const KEY = "keras_segattn";

/** Uint8Array of a .tflite or .onnx file -> its metadata, an object; throws if it has none. */
export function metadata(bytes) {
  const text = archived(bytes, `${KEY}.json`) ?? property(bytes, KEY);
  if (text === undefined) throw new Error("expected a .tflite or .onnx file of keras_segattn. It has no metadata");
  return JSON.parse(text);
}

// A .tflite ends in a zip archive, whose members are not compressed: text of one of them.
function archived(bytes, name) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - 22; // of the record at the very end, which has no comment
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) return undefined;
  let entry = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    const [nameLength, extra, comment] = [28, 30, 32].map((at) => view.getUint16(entry + at, true));
    if (text(bytes, entry + 46, entry + 46 + nameLength) === name) {
      const member = view.getUint32(entry + 42, true);
      const start = member + 30 + view.getUint16(member + 26, true) + view.getUint16(member + 28, true);
      return text(bytes, start, start + view.getUint32(entry + 20, true));
    }
    entry += 46 + nameLength + extra + comment;
  }
  return undefined;
}

// ONNX is a protobuf: metadata_props is field 14 of its ModelProto, key and value are fields 1 and 2 of each.
function property(bytes, key) {
  for (const [field, start, end] of fields(bytes, 0, bytes.length)) {
    if (field !== 14) continue;
    const entry = {};
    for (const [number, from, to] of fields(bytes, start, end)) entry[number] = text(bytes, from, to);
    if (entry[1] === key) return entry[2];
  }
  return undefined;
}

// [number, start, end] of the fields that have a length; the only others of a ModelProto are integers.
function* fields(bytes, at, end) {
  const varint = () => {
    let value = 0;
    for (let scale = 1; at < end; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) break;
    }
    return value;
  };
  while (at < end) {
    const tag = varint();
    const length = varint(); // of an integer, its value
    if (tag % 8 !== 2) continue;
    yield [Math.floor(tag / 8), at, at + length];
    at += length;
  }
}

function text(bytes, start, end) {
  return new TextDecoder().decode(bytes.subarray(start, end));
}
