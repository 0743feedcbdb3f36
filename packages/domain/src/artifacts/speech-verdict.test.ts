import { describe, expect, test } from "vitest";
import { judgeSpeech } from "./speech-verdict.ts";

const words = (count: number) => Array.from({ length: count }, (_, at) => `word${at}`).join(" ");

test.each<[what: string, text: string, durationMs: number]>([
  ["twenty characters of a short clip", "thank you all a lots", 4_000],
  ["half a word a second", words(6), 12_000],
  [
    "Japanese",
    "コーヒーをおいしく淹れるには新鮮な水ときれいな道具が大切です。四分待ってから飲みましょう。友だちにも教えてください。",
    12_000,
  ],
  ["Chinese", "今天我教大家怎么在家里做一碗好喝的番茄汤首先把洋葱切碎", 12_000],
  ["Cantonese", "今日我教大家點樣喺屋企煮一碗好飲嘅番茄湯", 12_000],
  ["Thai", "วันนี้ผมจะสอนทุกคนทำซุปมะเขือเทศที่บ้านครับ", 12_000],
  ["Lao", "ມື້ນີ້ຂ້ອຍຈະສອນທຸກຄົນເຮັດແກງໝາກເລັ່ນຢູ່ເຮືອນ", 12_000],
  ["Khmer", "ថ្ងៃនេះខ្ញុំនឹងបង្រៀនអ្នកទាំងអស់គ្នាធ្វើស៊ុបប៉េងប៉ោះនៅផ្ទះ", 12_000],
  ["Burmese", "ဒီနေ့ ကျွန်တော် အိမ်မှာ ခရမ်းချဉ်သီး စွပ်ပြုတ် လုပ်နည်း သင်ပေးမယ်", 12_000],
  ["Korean", "오늘은 집에서 토마토 수프를 만드는 방법을 알려 드릴게요", 12_000],
  ["Arabic with emoji", "مرحبا بكم في مطبخي اليوم سنطبخ حساء الطماطم 🍅 اللذيذ", 12_000],
])("%s is speech", (_what, text, durationMs) => {
  expect(judgeSpeech(text, durationMs)).toBe("speech");
});

test.each<[what: string, text: string, durationMs: number]>([
  ["nothing", "", 4_000],
  ["nineteen characters", "thank you all a lot", 4_000],
  ["under half a word a second", words(5), 12_000],
  ["a word of Japanese", "ありがとう", 4_000],
  ["a few signs in a minute", "今日はトマトのスープを作ります", 60_000],
  ["emoji alone", "👨‍👩‍👧".repeat(20), 4_000],
  ["notes alone", "♪ ".repeat(30), 4_000],
  ["dots alone", "... ".repeat(30), 4_000],
])("%s is silence", (_what, text, durationMs) => {
  expect(judgeSpeech(text, durationMs)).toBe("silent");
});

describe("the same words again and again", () => {
  test.each([
    ["Thank you. ", 20],
    ["Thanks for watching! ", 12],
    ["ご視聴ありがとうございました。", 10],
    ["Subtitles by the community, thank you all for being here. ", 12],
  ])("%j is silence", (line, times) => {
    expect(judgeSpeech(line.repeat(times), 24_000)).toBe("silent");
  });

  test("are speech where much else is said", () => {
    const chorus = "we will rock you ".repeat(4);
    expect(judgeSpeech(`${words(20)} ${chorus} ${words(10)}`, 24_000)).toBe("speech");
  });
});
