import { AwemeId, defineStage, type LinkResolver, type Stage } from "@clipmill/domain";
import { z } from "zod";
import { isAbsenceOver } from "../engines/rerun.ts";

const Input = z.object({
  url: z.url(),
  /** The sandbox answers in place of TikTok. Default false. */
  simulated: z.boolean().optional(),
});
const Output = z.object({ postId: AwemeId });

/** Follows a short link to its post. A short link always leads to the same post, so it is followed once. */
export const resolve = defineStage({
  name: "resolve",
  queue: "io",
  input: Input,
  output: Output,
  attempts: 4,
  timeoutMs: 30_000,
  key: ({ url, simulated = false }) => (simulated ? `${url}@sandbox` : url),
  rerun: ({ end, endedMsAgo }) => end.state === "skipped" && isAbsenceOver(end.code, endedMsAgo),
});

export function createResolve({
  links,
}: {
  links: LinkResolver;
}): Stage<z.infer<typeof Input>, z.infer<typeof Output>> {
  return {
    ...resolve,
    async run({ url }, { signal }) {
      const { awemeId } = await links.resolve(url, { signal });
      return { output: { postId: awemeId } };
    },
  };
}
