export { findPostgresBinaries } from "./binaries.ts";
export {
  type EmbeddedPostgres,
  findRunningPostgres,
  startEmbeddedPostgres,
} from "./embedded-postgres.ts";
