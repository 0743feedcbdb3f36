export { creditEntry, creditTxn, tenant } from "./credits.ts";
export { answer, screenText, transcript } from "./artifacts.ts";
export { costEntry } from "./costs.ts";
export { engagement, media, post, postMedia, preparedAudio } from "./post.ts";
export { backfill, backfillNumber } from "./backfill.ts";
export { upstream } from "./upstream.ts";
export {
  childrenToEnd,
  request,
  requestOptions,
  requestStageJob,
  requestsToAdvance,
  stageJob,
  stageWait,
  workQueue,
  workerProcess,
} from "./work.ts";
