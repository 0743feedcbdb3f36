/** What people and other tools call the column or field with the link, the surest first. */
const LINK_NAMES = [
  "url",
  "link",
  "video url",
  "video link",
  "tiktok url",
  "tiktok link",
  "post url",
  "post link",
  "share url",
  "share link",
  "web video url",
  "permalink",
  "href",
  "urls",
  "links",
  "tiktok",
  "video",
  "post",
  "aweme id",
  "video id",
  "post id",
  "tiktok id",
  "id",
].map((name) => name.replaceAll(" ", ""));

/** How sure a name is to be the link's, 0 the surest; Infinity for any other name. */
export function rankName(name: string): number {
  const plain = name
    .slice(0, 100)
    .toLowerCase()
    .replace(/[^a-z]/g, "");
  const rank = LINK_NAMES.indexOf(plain);
  return rank === -1 ? Number.POSITIVE_INFINITY : rank;
}
