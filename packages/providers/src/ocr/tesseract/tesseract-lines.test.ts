import { expect, test } from "vitest";
import { selectReading, toReading } from "./tesseract-lines.ts";

/** A table as tesseract prints it: a line each, of words with their confidence, such as `Five:96`. */
const table = (...lines: string[]): string => {
  const rows = lines.flatMap((line, at) =>
    line.split(" ").map((word) => {
      const [, text, confidence] = /^(.*):(\d+)$/su.exec(word) ?? [];
      return `5\t1\t1\t1\t${at}\t1\t0\t0\t9\t9\t${confidence}\t${text}`;
    }),
  );
  return ["level\tpage_num\t…\tconf\ttext", "4\t1\t1\t1\t1\t0\t0\t0\t9\t9\t-1\t", ...rows].join(
    "\n",
  );
};

test("lines are made of sure words, and those without two letters or digits together are dropped", () => {
  const read = toReading(table("Five:96 things:96 |:68 wish:96", "~:90", "x:95", "|:80 knew:96"));
  expect(read).toEqual({ lines: ["Five things I wish", "I knew"], hasUnread: false });
});

test.each([
  ["Greek", "KaAnUEpa:8 OE:43 GAOUG:15 ONnHEPA:0"],
  ["Hebrew", "7Wl):0 On:86 O71ID7:33 OI7W:0"],
  ["Arabic", "pubes:51 99:43 pS:70 Loo:27"],
  ["Cyrillic", "lpuBeT:16 BCeM:35 gpy3t:0"],
  ["Ukrainian", "Npusit:65 ycim:90 opy3am:78"],
  ["Georgian", "pmgbh:0 bobenda:19 30d8o~9dm:16"],
])("what %s looks like to English data is not published, and told", (_script, line) => {
  expect(toReading(table(line, "Five:96 things:96"))).toEqual({
    lines: ["Five things"],
    hasUnread: true,
  });
});

test.each([
  ["Turkish", "Bugutn:46 evde:92 corba:91 pisiriyoruz:91"],
  ["German", "Heute:92 kochen:92 wir:93 Gemusesupp:86"],
  ["a name", "my:96 new:96 iPhone:90 case:96"],
])("a line of %s stays", (_what, line) => {
  expect(toReading(table(line)).lines).toHaveLength(1);
});

test("specks are neither text nor unread text", () => {
  expect(toReading(table("~:20 ..:30", "a1:12", "x:0"))).toEqual({ lines: [], hasUnread: false });
  expect(toReading("no table")).toEqual({ lines: [], hasUnread: false });
});

test("a reading is bounded and clean", () => {
  const { lines } = toReading(table(...Array<string>(500).fill(`${"a".repeat(5_000)}\0:96`)));
  expect(lines).toHaveLength(60);
  expect(lines[0]).toHaveLength(200);
  expect(toReading(table("so\0up:96")).lines).toEqual(["so up"]);
});

test("the reading with more real words wins, the first where they are even", () => {
  const of = (...lines: string[]) => ({ lines, hasUnread: false });
  const noise = of("eRv xKq", "brr zzz");
  expect(selectReading(noise, of("Five things"))).toEqual(of("Five things"));
  expect(selectReading(of("Five things"), noise)).toEqual(of("Five things"));
  expect(selectReading(of("Five things!"), of("Nine lives"))).toEqual(of("Five things!"));
});

test("what only one reading is unsure of was read by the other", () => {
  const unsure = { lines: [], hasUnread: true };
  expect(selectReading(unsure, { lines: ["Five"], hasUnread: false }).hasUnread).toBe(false);
  expect(selectReading(unsure, unsure).hasUnread).toBe(true);
});
