import { expect, test } from "vitest";
import { SNIFF_BYTES, sniffMedia } from "./sniff-media.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");

test.each([
  ["\0\0\0\x20ftypisom\0\0\x02\0", "mp4"],
  ["\0\0\0\x1cftypM4A \0\0\0\0", "mp4"],
  ["\0\0\0\x14ftypqt  \0\0\0\0", "mp4"],
  ["\0\0\0\x08wide\0\0\0\0mdat", "mp4"],
  ["\0\0\x10\0moov\0\0\0lmvhd", "mp4"],
  ["\0\0\0\x18ftypheic\0\0\0\0", "heic"],
  ["\0\0\0\x18ftypmif1\0\0\0\0", "heic"],
  ["\x1a\x45\xdf\xa3\x9fB\x86\x81\x01", "webm"],
  ["ID3\x04\0\0\0\0\0\x23TSSE", "mp3"],
  ["\xff\xfb\x90\x64\0", "mp3"],
  ["\xff\xf3\x40\xc4\0", "mp3"],
  ["\xff\xf1\x50\x80\0", "aac"],
  ["\xff\xf9\x50\x80\0", "aac"],
  ["RIFF\x24\0\0\0WAVEfmt ", "wav"],
  ["RIFF\x24\0\0\0WEBPVP8 ", "webp"],
  ["\xff\xd8\xff\xe0\0\x10JFIF", "jpeg"],
  ["\x89PNG\r\n\x1a\n\0\0\0\r", "png"],
  ["GIF89a\x01\0\x01\0", "gif"],
  // What ffmpeg is left to judge.
  ["RIFF\x24\0\0\0AVI LIST", "other"],
  ["OggS\0\x02\0\0\0\0\0\0", "other"],
  ["fLaC\0\0\0\x22\x12\0\x12\0", "flac"],
  ["\x47\x40\x11\x10\0\x42\xf0\x25", "other"],
  ["\xff\xfd\x84\x04\x33\x33\x22\x22", "other"],
  ["\0\0\0\0\0\0\0\0", "other"],
])("the head %j is %s", (head, name) => {
  expect(sniffMedia(bytes(head).subarray(0, SNIFF_BYTES))?.name).toBe(name);
});

test("text stays text, whatever follows it", () => {
  expect(sniffMedia(bytes(`#EXTM3U\n#EXTINF:1,\nfile:///x\n\0\0\0\x10free`))).toBeNull();
});

test.each([
  "",
  "\0",
  "#EXTM3U\n#EXT-X-TARG",
  "<!DOCTYPE html><",
  '{"status":"error"',
  "ffconcat version ",
  "\xef\xbb\xbf<!DOCTYPE html",
  "caf\xc3\xa9 \xe2\x82\xac and a h\xc3",
  "hello, I am text",
  "\x1f\x8b\x08\0\0\0\0\0",
  "PK\x03\x04",
  "%PDF-1.7",
  "\xff\xfe<\0h\0t\0m\0l\0",
])("the head %j is no media", (head) => {
  expect(sniffMedia(bytes(head))).toBeNull();
});
