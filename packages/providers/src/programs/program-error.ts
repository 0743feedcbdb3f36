/** A child that did not do its work. stderr is for our own eyes in `stderrTail`: it may quote untrusted text. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  /** `missing`: it could not be started. */
  readonly reason: "missing" | "exit" | "killed" | "timeout" | "output";
  readonly exitCode: number | null;
  readonly stderrTail: string;
  constructor(reason: ProgramError["reason"], exitCode: number | null, stderrTail = "") {
    super(`the program ended with ${reason}${exitCode === null ? "" : ` ${exitCode}`}`);
    this.reason = reason;
    this.exitCode = exitCode;
    this.stderrTail = stderrTail;
  }
}
