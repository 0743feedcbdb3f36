import { expect, test } from "vitest";
import { parseExactJson } from "./exact-json.ts";

test("integers above 2^53 keep every digit, as strings", () => {
  expect(parseExactJson('{"id":7354861484037524768,"list":[9007199254740993]}')).toEqual({
    id: "7354861484037524768",
    list: ["9007199254740993"],
  });
  // What a plain parse does to the same id.
  expect(String(JSON.parse("7354861484037524768"))).not.toBe("7354861484037524768");
});

test("everything else is as JSON.parse has it", () => {
  const text = '{"a":1,"b":9007199254740991,"c":1.5,"d":1e30,"e":"7","f":null,"g":[true,{}]}';
  expect(parseExactJson(text)).toEqual(JSON.parse(text));
});

test("what is no JSON throws SyntaxError", () => {
  expect(() => parseExactJson("<html>")).toThrow(SyntaxError);
});
