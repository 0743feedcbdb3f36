import { Engagement, type Page, pages, Post, type PostSource } from "@clipmill/domain";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** How an upstream can go wrong, and the code that each must become. */
export const UPSTREAM_FAULTS = {
  "429": "throttled",
  "500": "upstream_unavailable",
  html: "bad_response",
  empty: "bad_response",
  reset: "upstream_unavailable",
} as const;
export type UpstreamFault = keyof typeof UPSTREAM_FAULTS;

export interface PostSourceUnderTest {
  source: PostSource;
  /** Posts of each kind that the upstream knows; null where it has none. */
  posts: {
    video: string;
    slideshow: string | null;
    private: string | null;
    gone: string | null;
  };
  /** Whose posts and which post's comments and replies there are, over more than one page; null where the source lists nothing. */
  lists?: { uniqueId: string; postId: string; commentId: string | null } | null;
  /** Makes the upstream's next answer go wrong; null where the source has no upstream. */
  breakNext: ((fault: UpstreamFault) => void | Promise<void>) | null;
  close(): Promise<void>;
}

type AbsentPart = "slideshow" | "private" | "gone" | "faults" | "lists" | "creators" | "replies";

const signal = new AbortController().signal;

async function readAll<T>(fetchPage: (cursor: string | null) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  for await (const page of pages(fetchPage)) items.push(...page);
  return items;
}

/** What every PostSource keeps to. `absent` names the parts that this kind of source does not have: they are left out. */
export function describePostSource(
  name: string,
  open: () => Promise<PostSourceUnderTest>,
  { absent = [] }: { absent?: readonly AbsentPart[] } = {},
): void {
  describe(`${name} as a PostSource`, () => {
    let subject: PostSourceUnderTest;
    beforeEach(async () => {
      subject = await open();
    });
    afterEach(() => subject.close());
    const fetchPost = (postId: string, on = signal) =>
      subject.source.fetchPost({ postId, link: null }, { signal: on });
    const need = (postId: string | null) => {
      if (postId === null) throw new Error("the factory gives no post of this kind");
      return postId;
    };

    test("a post comes whole, named after the id that was asked for and the source that told", async () => {
      const { post, engagement, media } = await fetchPost(subject.posts.video);
      expect(Post.parse(post)).toEqual(post);
      expect(Engagement.parse(engagement)).toEqual(engagement);
      expect(post).toMatchObject({ postId: subject.posts.video, source: subject.source.id });
      expect(["video", "stored"]).toContain(media.kind);
      if (media.kind === "video") {
        expect(media.renditions.length).toBeGreaterThan(0);
        for (const link of media.renditions) expect(URL.canParse(link)).toBe(true);
      }
    });

    test("a call has a price that is a number", () => {
      expect(subject.source.callUsd).toBeGreaterThanOrEqual(0);
      expect(subject.source.callUsd).toBeLessThan(0.1);
    });

    if (!absent.includes("slideshow")) {
      test("a slideshow has its images in order and no video", async () => {
        const { post, media } = await fetchPost(need(subject.posts.slideshow));
        expect(post.durationMs).toBe(0);
        expect(media.kind).toBe("slideshow");
        if (media.kind !== "slideshow") return;
        expect(media.imageUrls.length).toBeGreaterThan(0);
        for (const link of media.imageUrls) expect(URL.canParse(link)).toBe(true);
      });
    }

    if (!absent.includes("private")) {
      test("a private post is skipped as private", async () => {
        const fetched = fetchPost(need(subject.posts.private));
        await expect(fetched).rejects.toMatchObject({ name: "SkipError", code: "private" });
      });
    }

    if (!absent.includes("gone")) {
      test("a post that the upstream says is gone is skipped as gone", async () => {
        const fetched = fetchPost(need(subject.posts.gone));
        await expect(fetched).rejects.toMatchObject({ name: "SkipError", code: "gone" });
      });
    }

    test("an aborted call ends with the signal's reason", async () => {
      const reason = new Error("shutdown");
      await expect(fetchPost(subject.posts.video, AbortSignal.abort(reason))).rejects.toBe(reason);
    });

    test("captions, where there are any, say their language, format and content", async () => {
      const { captions } = await fetchPost(subject.posts.video);
      for (const { language, format, content } of captions) {
        expect(language === null || /^[a-z]{2,3}$/.test(language)).toBe(true);
        expect(["vtt", "srt"]).toContain(format);
        expect("text" in content ? content.text !== "" : URL.canParse(content.url)).toBe(true);
      }
    });

    if (!absent.includes("lists")) describeLists();
    else {
      test("nothing is listed, and nothing pretends to be", () => {
        const { listPosts, listComments, listReplies } = subject.source;
        expect([listPosts, listComments, listReplies]).toEqual([undefined, undefined, undefined]);
      });
    }

    function describeLists(): void {
      const lists = () => {
        if (subject.lists == null) throw new Error("the factory gives no lists");
        return subject.lists;
      };
      const toCreator = async ({ fetchCreator }: PostSource, uniqueId: string) =>
        (await fetchCreator?.(uniqueId, { signal })) ?? {
          userId: null,
          uniqueId,
          nickname: null,
          followerCount: null,
          postCount: null,
        };

      test("a creator's posts come page by page, each once, with its creator", async () => {
        const { source } = subject;
        const creator = await toCreator(source, lists().uniqueId);
        expect(creator.uniqueId).toBe(lists().uniqueId);
        const listed = await readAll(
          async (cursor) =>
            (await source.listPosts?.({ creator, cursor }, { signal })) ?? {
              items: [],
              cursor: null,
            },
        );
        const ids = listed.map(({ post }) => post.postId);
        expect(ids.length).toBeGreaterThan(0);
        expect(new Set(ids).size).toBe(ids.length);
        for (const { post, engagement } of listed) {
          expect(Post.parse(post)).toEqual(post);
          expect(Engagement.parse(engagement)).toEqual(engagement);
          expect(post).toMatchObject({ author: { uniqueId: creator.uniqueId }, source: source.id });
        }
      });

      if (!absent.includes("creators")) {
        test("a creator has the numeric id that the lists want", async () => {
          const creator = await toCreator(subject.source, lists().uniqueId);
          expect(creator.userId).toMatch(/^\d+$/);
        });
      }

      test("comments come page by page, each once, with words and an id", async () => {
        const { postId } = lists();
        const comments = await readAll(
          async (cursor) =>
            (await subject.source.listComments?.({ postId, cursor }, { signal })) ?? {
              items: [],
              cursor: null,
            },
        );
        expect(comments.length).toBeGreaterThan(0);
        expect(new Set(comments.map(({ id }) => id)).size).toBe(comments.length);
        for (const comment of comments) {
          expect(comment).toMatchObject({ id: expect.stringMatching(/^\d+$/), postId });
          expect(comment.text).not.toBe("");
        }
      });

      if (!absent.includes("replies")) {
        test("replies come under their comment", async () => {
          const { postId, commentId } = lists();
          const replies = await readAll(
            async (cursor) =>
              (await subject.source.listReplies?.(
                { postId, commentId: commentId ?? "", cursor },
                { signal },
              )) ?? { items: [], cursor: null },
          );
          expect(replies.length).toBeGreaterThan(0);
          for (const { id, text, replyCount } of replies) {
            expect([id, text]).not.toContain("");
            expect(replyCount).toBe(0);
          }
        });
      }
    }

    if (absent.includes("faults")) return;
    test.each(Object.entries(UPSTREAM_FAULTS))(
      "an upstream that answers with %s is %s, never gone, and the next call works",
      async (fault, code) => {
        if (subject.breakNext === null) throw new Error("the factory cannot break its upstream");
        await subject.breakNext(fault as UpstreamFault);
        await expect(fetchPost(subject.posts.video)).rejects.toMatchObject({
          name: "RetryableError",
          code,
          upstream: subject.source.id,
        });
        expect((await fetchPost(subject.posts.video)).post.postId).toBe(subject.posts.video);
      },
    );
  });
}
