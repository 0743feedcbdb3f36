import { EventEmitter, once } from "node:events";
import {
  type Accepted,
  hashJson,
  isTerminal,
  newRequestId,
  type PostResult,
  type RequestReader,
  type RequestView,
  type Submission,
  type WorkStore,
} from "@clipmill/domain";

/** Requests in memory, for tests of what stands before them. The test itself ends each by `finish`. */
export interface FakeRequests extends RequestReader, Pick<WorkStore, "accept" | "cancel"> {
  readonly submissions: Submission[];
  /** Posts whose requests are complete on arrival. */
  readonly stored: Map<string, PostResult>;
  finish(id: string, end: Partial<RequestView>): void;
  /** Resolves when somebody waits for a request, with its id. */
  waiting(): Promise<string>;
}

export function createFakeRequests(): FakeRequests {
  const views = new Map<string, RequestView>();
  const keys = new Map<string, { id: string; bodyHash: string }>();
  const events = new EventEmitter();
  const submissions: Submission[] = [];
  const stored = new Map<string, PostResult>();

  function acceptOne(submission: Submission): Accepted {
    const { idempotencyKey, ...body } = submission;
    const bodyHash = hashJson(body);
    const earlier = idempotencyKey === null ? undefined : keys.get(idempotencyKey);
    if (earlier !== undefined && earlier.bodyHash !== bodyHash) {
      return { requestId: earlier.id, created: false, state: "conflict" };
    }
    if (earlier !== undefined) return toAccepted(earlier.id, false);
    const id = newRequestId();
    if (idempotencyKey !== null) keys.set(idempotencyKey, { id, bodyHash });
    submissions.push(submission);
    views.set(id, toView(id, submission, stored.get(submission.postId ?? "") ?? null));
    return toAccepted(id, true);
  }

  function toAccepted(requestId: string, created: boolean): Accepted {
    const state = views.get(requestId)?.state ?? "queued";
    return { requestId, created, state: isTerminal(state) ? state : "open" };
  }

  return {
    submissions,
    stored,
    accept: (many) => Promise.resolve(many.map(acceptOne)),
    cancel: (ids) => {
      const open = ids.filter((id) => !isTerminal(views.get(id)?.state ?? "cancelled"));
      for (const id of open) {
        const view = views.get(id);
        if (view !== undefined) views.set(id, { ...view, state: "cancelled" });
        events.emit(id);
      }
      return Promise.resolve(open);
    },
    findRequest: (id) => Promise.resolve(views.get(id) ?? null),
    async waitForRequest(id, { timeoutMs, signal }) {
      const view = views.get(id);
      if (view === undefined || isTerminal(view.state)) return view ?? null;
      const timeout = AbortSignal.timeout(timeoutMs);
      const ended = once(events, id, { signal: AbortSignal.any([timeout, signal ?? timeout]) });
      events.emit("waiting", id);
      await ended.catch((error: unknown) => {
        if (!timeout.aborted) throw error;
      });
      return views.get(id) ?? null;
    },
    finish(id, end) {
      const view = views.get(id);
      if (view === undefined) throw new Error(`no request ${id}`);
      const cost = end.result?.cost ?? null;
      const finishedAt = "2026-11-22T00:00:04.000Z";
      views.set(id, { ...view, stages: [], cost, finishedAt, ...end });
      events.emit(id);
    },
    async waiting() {
      const [id] = (await once(events, "waiting", { signal: AbortSignal.timeout(5_000) })) as [
        string,
      ];
      return id;
    },
  };
}

function toView(id: string, { link, postId }: Submission, result: PostResult | null): RequestView {
  return {
    id,
    state: result === null ? "queued" : "done",
    link,
    postId,
    stages: result === null ? [{ name: "download", state: "queued", attempts: 0 }] : [],
    waitingFor: null,
    failure: null,
    result,
    cost: result?.cost ?? null,
    createdAt: "2026-11-22T00:00:00.000Z",
    finishedAt: result === null ? null : "2026-11-22T00:00:00.000Z",
  };
}
