import { z } from "zod";
import type { Api } from "../deps.ts";

/** `GET /livez`: the process answers. It asks nothing else, or a slow database would get every API killed. */
export function livez(api: Api): void {
  api.get(
    "/livez",
    {
      logLevel: "silent",
      schema: {
        operationId: "livez",
        summary: "The process answers",
        tags: ["health"],
        response: { 200: z.object({ status: z.literal("ok") }).describe("It does.") },
      },
    },
    () => ({ status: "ok" as const }),
  );
}
