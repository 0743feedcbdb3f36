import type {
  AsrProvider,
  EngineId,
  FetchedPost,
  OcrProvider,
  PostId,
  PostSource,
  Storage,
  SummaryProvider,
  UpstreamRate,
} from "@clipmill/domain";
import type { z } from "zod";

/**
 * All that the rest of clipmill knows of an engine: the one export of its folder or file, and a line of the catalog.
 * `Provider` is the port that it works behind, `Settings` its part of the configuration, `Context` what it is handed
 * besides.
 *
 * Functions are written as methods on purpose: TypeScript then takes engines with settings of different types into one
 * list. It is safe because whoever calls them passes what the engine's own `settings` have read.
 */
export interface EngineModule<
  Provider,
  Settings extends object = Record<string, unknown>,
  Context = EngineContext,
> {
  /** The first part of its ids, and what a person writes into a list such as ASR_ENGINES. */
  readonly name: string;
  /**
   * The variables of the configuration that it reads, under their own names. `packages/config` has their defaults and
   * meaning and has checked them; here stands only of which type they are.
   */
  readonly settings: z.ZodType<Settings> & { readonly shape: object };
  /** The setting without which it cannot be used, such as its key. Absent: it can be used as it is. */
  readonly needs?: Extract<keyof Settings, string>;
  /** True: it is used only where a list names it. Default: also where the list of its kind is empty. */
  readonly listedOnly?: boolean;
  /** The engine with its model. `sandbox`: `settings` come from `toSandbox`. */
  toId(settings: Settings, options: { sandbox: boolean }): EngineId;
  /** Starts nothing and calls nobody. A promise where a library has to be loaded, which no other program should pay for. */
  create(settings: Settings, context: Context): Provider | Promise<Provider>;
  /** Whether the program that it consists of is on this machine; null where not. Absent: there is nothing to look for. */
  find?(settings: Settings): Promise<{ path: string } | null>;
  /** What is known of its upstream's limits. Absent: it runs on this machine and needs no limiter. */
  rate?(settings: Settings): UpstreamLimit;
  /** What `clipmill doctor` says about it. Absent: it has nothing that a person could install or set. */
  doctor?(settings: Settings): Promise<DoctorLine>;
  /**
   * Its settings with the sandbox, at this address, in its upstream's place. The sandbox takes any key; `sandbox` is
   * one that is recognised wherever it turns up. Absent: there is no stand-in for this upstream.
   */
  toSandbox?(settings: Settings, sandboxUrl: string): Settings;
}

export interface EngineContext {
  engine: EngineId;
}

export interface UpstreamLimit {
  /** Null: no limit is known. Pauses, the breaker and the cap on calls at once hold all the same. */
  rate: UpstreamRate | null;
  /** To whom the limit applies: a key, or an address of one's own server. Null: this machine's IP address. */
  credential: string | null;
}

export interface DoctorLine {
  /** What a person calls it. Engines that say the same name here share one line. */
  name: string;
  /** Which it is, such as its version; null where it is not there. */
  found: string | null;
  /** Said instead of `found` where nothing is there: what happens without it. */
  without: string;
  /** What to do to get it. */
  advice: string;
  /** True: a person has set it up or listed it, so that it is missed where it is not there. Default false. */
  isWanted?: boolean;
}

/** A source of posts. `Settings` and the rest as in `EngineModule`. */
export interface PostModule<Settings extends object = Record<string, unknown>> extends EngineModule<
  ClosablePostSource,
  Settings,
  PostContext
> {
  /** `file`: asked for people's own files, and for nothing else. Default: asked for posts of TikTok. */
  readonly origin?: "file";
}

export type AsrModule<Settings extends object = Record<string, unknown>> = EngineModule<
  AsrProvider,
  Settings
>;
export type OcrModule<Settings extends object = Record<string, unknown>> = EngineModule<
  OcrProvider,
  Settings
>;
export type LlmModule<Settings extends object = Record<string, unknown>> = EngineModule<
  SummaryProvider,
  Settings
>;

/** `close` ends its connections. Absent: it keeps none open. */
export type ClosablePostSource = PostSource & { close?(): Promise<void> };

export interface PostContext extends EngineContext {
  /** To be told when an answer says that no call is left for so long, in ms. */
  onHoldOff(forMs: number): void;
  files: ImportedFiles;
}

/** People's own files, imported beforehand. */
export interface ImportedFiles {
  storage: Storage;
  /** What an import brought along; null for a post that was never imported. See `createImportStore`. */
  readDetail(postId: PostId): Promise<FetchedPost | null>;
}
