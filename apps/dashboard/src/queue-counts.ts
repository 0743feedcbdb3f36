/** How the rows of one queue stand in Postgres, which is the record; BullMQ holds only a small window of them. */
export interface QueueCounts {
  queue: string;
  /** Waiting to be given to BullMQ. */
  ready: number;
  /** Given to BullMQ, not started. */
  queued: number;
  running: number;
  /** Waiting for their backoff to pass. Not part of `ready`. */
  retrying: number;
  /** Failed for good. */
  dead: number;
}
