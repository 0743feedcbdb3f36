export { createArtifactTable, type ArtifactTable } from "./artifacts/artifact-table.ts";
export type { RecordTable } from "./artifacts/record-table.ts";
export { ARTIFACT_TABLES, RECORD_TABLES } from "./artifacts/tables.ts";
export { createArtifactReader } from "./read/artifact-reader.ts";
export {
  type Backfill,
  type BackfillChunk,
  type BackfillStore,
  createBackfillStore,
  type InvalidLine,
  MAX_INVALID_LINES,
} from "./work/accept/backfills.ts";
export {
  createDatabase,
  type Database,
  type DatabaseOptions,
  type Outage,
  toOutage,
  withTransaction,
} from "./database.ts";
export type {
  DeadFilter,
  DeadJob,
  DeadJobDetail,
  DeadSelection,
} from "./work/dead-letter/dead-job.ts";
export { createDeadLetter, type DeadLetter } from "./work/dead-letter/dead-letter.ts";
export { toWorkItem, toWorkItemDetail } from "./work/dead-letter/to-work-item.ts";
export { createListener, type Listener } from "./listener.ts";
export { checkSchema } from "./server/check-schema.ts";
export {
  type DatabaseProblem,
  toDatabaseProblem,
  toDatabaseRefusal,
} from "./server/database-problem.ts";
export { type DatabaseCheck, examineDatabase } from "./server/examine-database.ts";
export { migrateDatabase, MigrationRefusedError } from "./server/migrate.ts";
export { countJobs, type QueueCounts } from "./read/queue-counts.ts";
export { findRecentRequests, type RecentRequest } from "./read/recent-requests.ts";
export { createPostReader, type PostReader, type StoredPost } from "./read/post-reader.ts";
export {
  createWaitingReader,
  type WaitingGroup,
  type WaitingReader,
} from "./read/waiting-reader.ts";
export { createRequestReader } from "./read/request-reader.ts";
export { createRefetch } from "./retention/refetch.ts";
export {
  type RetentionCounts,
  type RetentionOptions,
  sweepFiles,
} from "./retention/sweep-files.ts";
export { type OrphanOptions, sweepOrphans } from "./retention/sweep-orphans.ts";
export { createUpstreamStore } from "./upstream-store.ts";
export { grantCredits } from "./ledger/credits.ts";
export { createWorkStore, type WorkStoreOptions } from "./work/work-store.ts";
export { createWorkerRegistry, type WorkerRegistry, type WorkerReport } from "./worker-registry.ts";
