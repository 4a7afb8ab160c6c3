// An exported segmentation file, run in the browser by onnxruntime-web or by LiteRT.js.

import { metadata } from "./metadata.mjs";

const MODULES = new URL("node_modules/", import.meta.url).href;

/** Runtimes by name: the file that each takes, and how it makes a function of it. */
export const RUNTIMES = {
  onnx: { title: "onnxruntime-web", file: "model.onnx", start: startOnnx },
  litert: { title: "LiteRT.js", file: "model.tflite", start: startLiteRT },
};

/**
 * Open the file of a runtime.
 *
 * @param {string} runtime key of RUNTIMES
 * @returns {Promise<{facts, labels}>} facts: the file's metadata. labels: function of the RGB pixels of an image
 *     of facts.image_size, Uint8Array (H * W * 3), to a promise of the class of each, Uint8Array (H * W).
 */
export async function open(runtime) {
  if (!(runtime in RUNTIMES)) {
    throw new Error(`runtime: expected one of ${Object.keys(RUNTIMES).join(", ")}. Received: ${runtime}`);
  }
  const { file, start } = RUNTIMES[runtime];
  const response = await fetch(file);
  if (!response.ok) throw new Error(`${file}: expected an exported file beside this page. ${response.statusText}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const facts = metadata(bytes);
  return { facts, labels: await start(bytes, [1, ...facts.image_size, 3]) };
}

async function startOnnx(bytes, shape) {
  const ort = await import("onnxruntime-web");
  ort.env.wasm.wasmPaths = `${MODULES}onnxruntime-web/dist/`;
  ort.env.wasm.numThreads = 1; // more need a page that is isolated from other origins
  const session = await ort.InferenceSession.create(bytes);
  return async (pixels) => {
    const { labels } = await session.run({ image: new ort.Tensor("uint8", pixels, shape) }, ["labels"]);
    return labels.data;
  };
}

let litert; // loaded once for the page

async function startLiteRT(bytes, shape) {
  const { loadLiteRt, loadAndCompile, Tensor } = await import("@litertjs/core");
  await (litert ??= loadLiteRt(`${MODULES}@litertjs/core/wasm/`));
  const model = await loadAndCompile(bytes, { accelerator: "wasm" });
  return async (pixels) => {
    const image = new Tensor(pixels, shape);
    const { labels } = await model.run("segment", { image });
    try {
      return labels.toTypedArray(); // a copy
    } finally {
      image.delete(); // its memory is not the browser's to free
      labels.delete();
    }
  };
}
