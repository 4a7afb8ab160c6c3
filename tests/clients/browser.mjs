// Drives the page: node browser.mjs NODE_MODULES CHROMIUM ADDRESS WAY [PICTURE...], answers as JSON on stdout.
// WAY: "query" names the picture in the address, "choose" gives it to the file field, "drop" drops it, "open" gives none.

import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [modules, chromium, address, way, ...pictures] = process.argv.slice(2);
const { chromium: browser } = createRequire(join(modules, "x"))("playwright-core");

// Root in a container has no sandbox; the others keep the browser from looking for hosts of its maker.
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const PATIENCE = 300_000; // ms
const profile = mkdtempSync(join(tmpdir(), "chromium-"));

const WAYS = {
  async open(page) {
    await page.goto(address);
    return waitFor(page, () => window.segattn !== undefined);
  },
  async query(page, picture) {
    await page.route("**/picture.png", (route) => route.fulfill({ path: picture }));
    await page.goto(`${address}&image=picture.png`);
    return waitFor(page);
  },
  async choose(page, picture) {
    await WAYS.open(page);
    await page.setInputFiles("#file", picture);
    return waitFor(page);
  },
  async drop(page, picture) {
    await WAYS.open(page);
    const dropped = await page.evaluateHandle((base64) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], "picture.png", { type: "image/png" }));
      return transfer;
    }, readFileSync(picture).toString("base64"));
    await page.dispatchEvent("#stage", "drop", { dataTransfer: dropped });
    return waitFor(page);
  },
};

const waitFor = (page, done = () => window.segattn?.labels ?? window.segattn?.error) =>
  page.waitForFunction(done, undefined, { timeout: PATIENCE });

function said() {
  const { error, runtime, labels } = window.segattn;
  const canvas = document.querySelector("canvas.drawn");
  return {
    error,
    runtime,
    labels: labels && [...labels],
    title: document.getElementById("title").textContent,
    status: document.getElementById("status").textContent,
    legend: [...document.querySelectorAll("#legend li")].map((row) => row.textContent),
    canvas: canvas && [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data],
  };
}

const context = await browser.launchPersistentContext(profile, { executablePath: chromium, args: FLAGS });
try {
  const answers = [];
  for (const picture of pictures.length ? pictures : [undefined]) {
    const page = await context.newPage();
    page.on("console", (message) => process.stderr.write(`${message.text()}\n`));
    page.on("pageerror", (error) => process.stderr.write(`${error}\n`));
    page.setDefaultTimeout(PATIENCE);
    await WAYS[way](page, picture);
    answers.push(await page.evaluate(said));
    await page.close();
  }
  process.stdout.write(JSON.stringify(answers));
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
