// Opens a page in headless Chromium and checks what a person with a mouse, a keyboard, or a screen reader gets.
//
// node check.mjs CHROMIUM PAGE EXPECTED SCREENSHOTS: EXPECTED is a JSON file, SCREENSHOTS a folder.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [chromium, page_path, expected_path, screenshots] = process.argv.slice(2);
const expected = JSON.parse(await readFile(expected_path, "utf8"));
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const problems = [];
const check = (good, problem) => { if (!good) problems.push(problem); };

const browser = await puppeteer.launch({ executablePath: chromium, args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage();
page.on("console", (message) => check(message.type() !== "error", `console: ${message.text()}`));
page.on("pageerror", (error) => problems.push(`script: ${error}`));
page.on("dialog", (dialog) => { problems.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
page.on("request", (request) => check(/^(file|data):/.test(request.url()), `request: ${request.url()}`));

for (const [scheme, width] of [["light", 1280], ["dark", 400]]) {
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  const started = Date.now();
  await page.goto(pathToFileURL(page_path).href, { waitUntil: "load" });
  console.log(`${scheme}, ${width} px: loaded in ${Date.now() - started} ms`);
  check((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, `${scheme}: wider than the window`);
  await page.screenshot({ path: `${screenshots}/${expected.name}-${scheme}.png` });

  const measured = await page.evaluate(async () => {
    const pictures = [...document.querySelectorAll(".picture")];
    for (const picture of pictures) picture.style.contentVisibility = "visible";
    return pictures.map((picture) => ({
      title: picture.querySelector("h2").textContent,
      boxes: [...picture.querySelectorAll(".boxes rect")].map((rect) => {
        const frame = picture.querySelector("img").getBoundingClientRect();
        const box = rect.getBoundingClientRect();
        return [(box.left - frame.left) / frame.width, (box.top - frame.top) / frame.height, box.width / frame.width, box.height / frame.height];
      }),
    }));
  });
  for (const [at, { title, boxes }] of (expected.pictures ?? []).entries()) {
    check(measured[at]?.title === title, `title ${at}: ${measured[at]?.title} instead of ${title}`);
    check(measured[at]?.boxes.length === boxes.length, `boxes of ${title}: ${measured[at]?.boxes.length}`);
    boxes.forEach((box, face) => box.forEach((side, index) => {
      const difference = Math.abs((measured[at]?.boxes[face]?.[index] ?? NaN) - side);
      check(difference <= 0.01, `box ${face} of ${title}, side ${index}: ${difference}`);
    }));
  }
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  for (const { id, nodes } of violations) problems.push(`axe: ${id}: ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`);
}

if (expected.filter) {
  // With the keyboard only: the first tab stop is the first emotion.
  await page.goto(pathToFileURL(page_path).href);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  const status = () => page.$eval("#shown", (element) => element.textContent);
  check((await status()) === expected.filter, `the filter says: ${await status()}`);
  const visible = await page.$$eval(".picture:not([hidden])", (found) => found.length);
  check(expected.filter.startsWith(`${visible} of`), `${visible} pictures are visible`);
}
await browser.close();
for (const problem of problems.slice(0, 40)) console.log(`problem: ${problem}`);
process.exit(problems.length === 0 ? 0 : 1);
