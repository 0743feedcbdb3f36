import {
  type ArtifactReader,
  type Evidence,
  type EvidenceSource,
  type PostId,
  RetryableError,
  screenTextKind,
  transcriptKind,
  type Unread,
} from "@clipmill/domain";

/** Names the stored evidence of an answer. */
export interface EvidenceKeys {
  postId: PostId;
  transcriptKey: string | null;
  screenTextKey: string | null;
  unread: readonly Unread[];
}

/** All that an answer may use. It includes the latest counters, although they are part of no key. */
export async function gatherEvidence(
  artifacts: ArtifactReader,
  input: EvidenceKeys,
): Promise<Evidence> {
  const [stored, transcript, screenText] = await Promise.all([
    artifacts.findPost(input.postId),
    input.transcriptKey === null ? null : artifacts.find(transcriptKind, input.transcriptKey),
    input.screenTextKey === null ? null : artifacts.find(screenTextKind, input.screenTextKey),
  ]);
  if (stored === null) throw new RetryableError("internal", "the post of an answer is not stored");
  const { post, engagement } = stored;
  const screenLines = screenText?.lines ?? [];
  const sources: EvidenceSource[] = [];
  if (transcript !== null)
    sources.push(transcript.origin === "captions" ? "captions" : "transcript");
  if (screenLines.length > 0) sources.push("ocr");
  sources.push("metadata");
  return {
    creator: post.author.uniqueId,
    followerCount: post.author.followerCount,
    engagement,
    musicTitle: post.music?.title ?? null,
    musicAuthor: post.music?.author ?? null,
    title: post.title,
    transcript: transcript?.text ?? null,
    screenLines,
    sources,
    unread: input.unread,
  };
}
