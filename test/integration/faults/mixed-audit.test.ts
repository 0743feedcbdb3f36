import { expect, test } from "vitest";
import { findDeviations } from "../../support/mixed/audit.ts";
import type { MixedCase } from "../../support/mixed/cases.ts";
import type { PlantedCase } from "../../support/mixed/planted-mix.ts";

const planted = (of: Partial<MixedCase>): PlantedCase => ({
  of: {
    name: "clip",
    expect: "done",
    files: "video",
    plant: () => ({ kind: "speech", files: [], faults: [] }),
    ...of,
  },
  isGood: true,
  post: { id: "7600000000000000000", kind: "speech", files: [], faults: [] },
  link: "link",
});
const ended = (end: string, files: string, isCaptioned = false) =>
  new Map([["link", { link: "link", end, files, isCaptioned }]]);

test.each([
  ["has no request", {}, new Map()],
  ["done: region_locked instead of done", {}, ended("done: region_locked", "")],
  [
    "failed: timeout instead of failed: blocked",
    { expect: "failed: blocked" },
    ended("failed: timeout", ""),
  ],
  ['has "slide", not "video"', {}, ended("done", "slide")],
  ["words of another origin", { hasCaptions: true as const }, ended("done", "video")],
  ["words of another origin", {}, ended("done", "video", true)],
])("a post that %s is a deviation", (what, of, ends) => {
  expect(findDeviations([planted(of)], ends)).toEqual([`7600000000000000000 (clip): ${what}`]);
});

test("a post that ended as planted is none", () => {
  expect(findDeviations([planted({})], ended("done", "video"))).toEqual([]);
});
