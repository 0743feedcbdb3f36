import { toRenditionName } from "../tiktok/cdn.ts";
import type { SampleFile, SamplePost } from "../sample-posts.ts";

/** A presigned link to a file, made anew for every answer. */
export type ToLink = (name: string) => string;

type Counter = number | string;

/** `/post-detail/` as the contract has it, with the post's quirks. */
export function toDetail(post: SamplePost, toLink: ToLink): Record<string, unknown> {
  return {
    aweme_id: post.quirks.includes("opaque-aweme-id") ? toOpaqueId(post.id) : post.id,
    id: post.id,
    region: post.region,
    title: post.title,
    ...toMediaFields(post, toLink),
    music_info: toMusicInfo(post),
    ...toCounters(post),
    create_time: toCreateTime(post.id),
    author: toAuthor(post),
  };
}

/** An item of `/user-posts/`: the id is called `video_id` there. */
export function toListItem(post: SamplePost, toLink: ToLink): Record<string, unknown> {
  const { id, ...rest } = toDetail(post, toLink);
  return { video_id: id, ...rest };
}

/** JSON in which a post with the `number-id` quirk has its id as a number, which JSON.stringify cannot write past 2^53. */
export function toPayload(value: unknown, post: SamplePost): Buffer {
  const json = JSON.stringify(value);
  const quoted = `"id":"${post.id}"`;
  return Buffer.from(
    post.quirks.includes("number-id") ? json.replace(quoted, `"id":${post.id}`) : json,
  );
}

/** The media id that the tikwm family of answers has in `aweme_id`. */
function toOpaqueId(postId: string): string {
  return `v12044gd0000cdemo${postId.slice(-8)}`;
}

/** An id is a snowflake: its high 32 bits are the creation time in Unix seconds. */
function toCreateTime(id: string): number {
  return Number(BigInt(id) >> 32n);
}

/** A slideshow has no MP4: `play` and `hdplay` are its sound. */
function toMediaFields(post: SamplePost, toLink: ToLink): Record<string, unknown> {
  const byRole = (role: SampleFile["role"]): SampleFile[] =>
    post.files.filter((file) => file.role === role);
  const slides = byRole("slide").map(({ name }) => toLink(name));
  const sound = byRole("audio")[0];
  const played = byRole("video")[0] ?? sound;
  const cover = byRole("cover").map(({ name }) => toLink(name))[0] ?? slides[0] ?? null;
  return {
    cover,
    origin_cover: cover,
    duration: slides.length > 0 ? 0 : Math.round(post.durationMs / 1000),
    play: played === undefined ? null : toLink(played.name),
    wmplay: played === undefined ? null : toLink(toRenditionName(played, "wm")),
    hdplay: played === undefined ? null : toLink(toRenditionName(played, "hd")),
    size: played?.bytes ?? 0,
    music: sound === undefined ? null : toLink(sound.name),
    images: slides.length > 0 ? slides : null,
  };
}

function toMusicInfo({ music, durationMs }: SamplePost): Record<string, unknown> | null {
  return music === null ? null : { ...music, duration: Math.round(durationMs / 1000), album: null };
}

function toCounters({ counters, quirks }: SamplePost): Record<string, Counter> {
  const write = (count: number): Counter =>
    quirks.includes("string-counters") ? String(count) : count;
  return {
    play_count: write(counters.plays),
    digg_count: write(counters.likes),
    comment_count: write(counters.comments),
    share_count: write(counters.shares),
    download_count: write(counters.downloads),
    collect_count: write(counters.collects),
  };
}

function toAuthor({ creator, quirks }: SamplePost): Record<string, unknown> {
  const { id, uniqueId, nickname, followerCount } = creator;
  const author = { id, unique_id: uniqueId, nickname, avatar: null };
  return quirks.includes("no-follower-count")
    ? author
    : { ...author, follower_count: followerCount };
}

type Reply = SamplePost["comments"][number]["replies"][number];

export function toComment(post: SamplePost, comment: Reply, replyCount: number): unknown {
  return {
    id: comment.id,
    video_id: post.id,
    text: comment.text,
    digg_count: comment.likes,
    reply_total: replyCount,
    create_time: toCreateTime(comment.id),
    user: { unique_id: comment.author.uniqueId, nickname: comment.author.nickname },
  };
}

/** `/userinfo-by-username/` is the one answer in camelCase. */
export function toUserInfo(posts: readonly SamplePost[]): unknown {
  const [first] = posts;
  if (first === undefined) throw new Error("a creator of the pack has a post");
  const { id, uniqueId, nickname, followerCount } = first.creator;
  const heartCount = posts.reduce((sum, { counters }) => sum + counters.likes, 0);
  return {
    user: {
      id,
      uniqueId,
      nickname,
      secUid: `MS4wLjABAAAA-demo-${uniqueId}`,
      stats: { followerCount: followerCount ?? 0, heartCount, videoCount: posts.length },
    },
  };
}
