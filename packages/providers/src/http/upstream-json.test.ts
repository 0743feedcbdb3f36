import fc from "fast-check";
import { expect, test } from "vitest";
import { parseUpstreamJson } from "./upstream-json.ts";

test.each<[what: string, text: string, value: unknown]>([
  ["a byte order mark", '\ufeff{"a":1}', { a: 1 }],
  [
    "NaN and Infinity",
    '{"a":NaN,"b":-Infinity,"c":[Infinity, 1]}',
    { a: null, b: null, c: [null, 1] },
  ],
  ["Python's words", '{"a":None,"b":True,"c":False}', { a: null, b: true, c: false }],
  ["a raw line break in a string", '{"a":"one\ntwo"}', { a: "one two" }],
  ["a comma too many", '{"a":[1,2, ],}', { a: [1, 2] }],
  [
    "the same words inside of strings",
    '{"a":"NaN, None ,}","b":NaN}',
    { a: "NaN, None ,}", b: null },
  ],
  ["a quote in a string", '{"a":"say \\"NaN\\"","b":NaN}', { a: 'say "NaN"', b: null }],
  ["NUL and half a character", '{"a":"x\\u0000y \\ud83d"}', { a: "x y \ufffd" }],
  [
    "an id of 19 digits",
    '{"id":7345678901234567890,"n":NaN}',
    { id: "7345678901234567890", n: null },
  ],
  ["plain null", "null", null],
])("%s is read", (_what, text, value) => {
  expect(parseUpstreamJson(text)).toEqual(value);
});

test.each(["", "<html>", '{"a":', "[".repeat(100_000), '"\\', '{"a":"b'])("%j is none", (text) => {
  expect(parseUpstreamJson(text.slice(0, 200_000))).toBeUndefined();
});

test("standard JSON is read as JSON.parse does", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      const isClean = !/[\u007f-\u009f\ufeff\u202a-\u202e\u2066-\u2069]|\\u/.test(text);
      fc.pre(isClean && !/\d{16}/.test(text));
      expect(parseUpstreamJson(text)).toEqual(JSON.parse(text));
    }),
  );
});
