// The words of clipmill, by folder: each file exports one of them with what belongs to it.
export * from "./artifacts/answer.ts";
export * from "./artifacts/artifact-keys.ts";
export * from "./artifacts/kind.ts";
export * from "./artifacts/kinds.ts";
export * from "./artifacts/screen-text.ts";
export * from "./artifacts/speech-verdict.ts";
export * from "./artifacts/summary.ts";
export * from "./artifacts/text.ts";
export * from "./artifacts/transcript.ts";

export * from "./errors/error-codes.ts";
export * from "./errors/errors.ts";
export * from "./errors/named-wait.ts";

export * from "./link/link-hosts.ts";
export * from "./link/link.ts";

export * from "./ports/artifacts.ts";
export * from "./ports/engines.ts";
export * from "./ports/log.ts";
export * from "./ports/media.ts";
export * from "./ports/post-source.ts";
export * from "./ports/storage.ts";
export * from "./ports/upstream.ts";

export * from "./post/choose-captions.ts";
export * from "./post/media.ts";
export * from "./post/models.ts";
export * from "./post/post.ts";
export * from "./post/result.ts";

export * from "./work/backoff.ts";
export * from "./work/failpoint.ts";
export * from "./work/file-producers.ts";
export * from "./work/record.ts";
export * from "./work/request.ts";
export * from "./work/stage.ts";
export * from "./work/wait.ts";
export * from "./work/waiting-for.ts";
export * from "./work/work-item.ts";
export * from "./work/work-store.ts";

export * from "./engine-id.ts";
export * from "./ids.ts";
export * from "./pages.ts";
export * from "./seconds.ts";
