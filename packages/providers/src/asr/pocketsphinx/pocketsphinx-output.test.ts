import { expect, test } from "vitest";
import { parsePocketsphinx } from "./pocketsphinx-output.ts";

const lines = (...all: string[]): string => `${all.join("\n")}\n`;

test("words become one segment with the times of the first and the last", () => {
  const output = lines(
    "thank you for",
    "<s> 0.140 0.250 1.000200",
    "thank 0.260 0.660 0.842384",
    "you 0.670 0.820 1.000200",
    "for(3) 0.830 0.980 0.647232",
    "</s> 2.890 2.920 1.000000",
  );
  expect(parsePocketsphinx(output)).toEqual([{ startMs: 260, endMs: 980, text: "thank you for" }]);
});

test("fillers and pronunciation numbers are not words", () => {
  const output = lines(
    "hello world",
    "<s> 0.000 0.100 1.0",
    "[NOISE] 0.100 0.200 0.5",
    "hello(2) 0.200 0.500 0.5",
    "++UM++ 0.500 0.600 0.5",
    "<sil> 0.600 0.700 0.5",
    "world 0.700 0.900 0.5",
    "</s> 0.900 1.000 1.0",
  );
  expect(parsePocketsphinx(output)).toEqual([{ startMs: 200, endMs: 900, text: "hello world" }]);
});

test("a pause and a new utterance begin a new segment", () => {
  const output = lines(
    "one two",
    "<s> 0.000 0.010 1.0",
    "one 0.100 0.300 0.5",
    "<sil> 0.300 0.800 0.5",
    "two 0.800 0.900 0.5",
    "</s> 0.900 0.950 1.0",
    "three",
    "<s> 0.950 0.960 1.0",
    "three 1.000 1.200 0.5",
  );
  expect(parsePocketsphinx(output)?.map(({ text }) => text)).toEqual(["one", "two", "three"]);
});

test("speech without a pause is cut after eight seconds", () => {
  const words = Array.from(
    { length: 40 },
    (_, at) => `word ${(at * 0.5).toFixed(3)} ${(at * 0.5 + 0.49).toFixed(3)} 0.5`,
  );
  const segments = parsePocketsphinx(lines("<s> 0.000 0.000 1.0", ...words)) ?? [];
  expect(segments).toHaveLength(3);
  expect(Math.max(...segments.map(({ startMs, endMs }) => endMs - startMs))).toBeLessThan(8_001);
  expect(segments.flatMap(({ text }) => text.split(" "))).toHaveLength(40);
});

test("no output, and utterances without a word, are silence", () => {
  expect(parsePocketsphinx("")).toEqual([]);
  expect(parsePocketsphinx("\n<s> 0.000 0.110 1.000000\n</s> 0.120 0.630 1.000000\n")).toEqual([]);
});

test("words without times are not taken for silence", () => {
  expect(parsePocketsphinx("hello world\n")).toBeNull();
});
