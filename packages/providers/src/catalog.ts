import {
  type AsrProvider,
  type EngineId,
  type OcrProvider,
  type Recipe,
  type Recipes,
  type SummaryProvider,
  toEngineId,
} from "@clipmill/domain";
import { createOpenAiTranscriber } from "./asr/openai/openai.ts";
import {
  createPocketsphinx,
  findPocketsphinx,
  POCKETSPHINX_ID,
} from "./asr/pocketsphinx/pocketsphinx.ts";
import { createClaude } from "./llm/claude/claude.ts";
import { createExtractive, EXTRACTIVE_ID } from "./llm/extractive/extractive.ts";
import { createTesseract, findTesseract, TESSERACT_ID } from "./ocr/tesseract/tesseract.ts";
import { TIKWM_ID } from "./posts/tikwm/tikwm.ts";
import { YTDLP_ID } from "./posts/ytdlp/ytdlp.ts";

/** The configuration that decides which engines there are; each field is the variable of that name. */
export interface EngineSettings {
  /** Empty: openai if `asrBaseUrl` is set, then pocketsphinx. */
  asrEngines: readonly string[];
  asrBaseUrl?: string | undefined;
  asrApiKey?: string | undefined;
  asrModel: string;
  asrUsdPerMinute: number;
  pocketsphinxPath: string;
  tesseractPath: string;
  /** For the second reading of a picture; without it tesseract reads pictures as they are only. */
  ffmpegPath?: string | undefined;
  /** Empty: claude if `anthropicApiKey` is set, else the sandbox's, else extractive. */
  llmEngines: readonly string[];
  anthropicApiKey?: string | undefined;
  anthropicBaseUrl: string;
  claudeModel: string;
  /** The running sandbox; its engines come after real ones. */
  sandboxUrl?: string | undefined;
  /** Empty: tiklive. */
  postSources?: readonly string[];
  tikliveApiKey?: string | undefined;
}

/** What runs on this machine, found by its id. */
export interface Engines {
  asr: AsrProvider[];
  ocr: OcrProvider[];
  llm: SummaryProvider[];
}

/** The sandbox takes any key; this one is recognisable wherever it turns up. */
const SANDBOX_KEY = "sandbox";
const SANDBOX_ASR_ID = toEngineId("openai", { sandbox: true, model: "recorded" });

/**
 * The ordered engines that a request gets. Depends on the configuration alone, never on what is installed here: an API
 * without pocketsphinx plans the same work as the worker that has it. Throws an Error that names the variable when it
 * lists an unknown engine or one whose settings are missing.
 */
export function toRecipes(
  settings: EngineSettings,
  { origin = "tiktok" }: { origin?: "tiktok" | "file" } = {},
): Recipes {
  // The sandbox knows its own posts only: what it says of a person's own file would be made up.
  const own = origin === "file" ? { ...settings, sandboxUrl: undefined } : settings;
  return {
    source: origin === "file" ? ["file"] : toSourceRecipe(settings),
    asr: toAsrRecipe(own),
    ocr: [TESSERACT_ID],
    llm: toLlmRecipe(own),
  };
}

/** Without a key the sandbox stands in for TikLiveAPI; it comes in by no other name. */
function toSourceRecipe({ postSources = [], tikliveApiKey, sandboxUrl }: EngineSettings): Recipe {
  const isSandbox = tikliveApiKey === undefined;
  if (postSources.length === 0 && isSandbox && sandboxUrl === undefined) return [];
  return toRecipe("POST_SOURCES", postSources.length > 0 ? postSources : ["tiklive"], {
    tiklive: () =>
      isSandbox && sandboxUrl === undefined
        ? missing("POST_SOURCES lists tiklive, so TIKLIVE_API_KEY must be set")
        : toEngineId("tiklive", { sandbox: isSandbox }),
    tikwm: () => TIKWM_ID,
    ytdlp: () => YTDLP_ID,
  });
}

function toAsrRecipe(settings: EngineSettings): Recipe {
  const { asrEngines, asrBaseUrl, sandboxUrl } = settings;
  const byDefault = asrBaseUrl === undefined ? ["pocketsphinx"] : ["openai", "pocketsphinx"];
  const recipe = toRecipe("ASR_ENGINES", asrEngines.length > 0 ? asrEngines : byDefault, {
    openai: () =>
      asrBaseUrl === undefined
        ? missing("ASR_ENGINES lists openai, so ASR_BASE_URL must be set")
        : toOpenAiId(settings),
    pocketsphinx: () => POCKETSPHINX_ID,
  });
  return sandboxUrl === undefined ? recipe : [...recipe, SANDBOX_ASR_ID];
}

function toLlmRecipe(settings: EngineSettings): Recipe {
  const { llmEngines, anthropicApiKey, sandboxUrl } = settings;
  const hasClaude = anthropicApiKey !== undefined || sandboxUrl !== undefined;
  const byDefault = hasClaude ? ["claude"] : ["extractive"];
  return toRecipe("LLM_ENGINES", llmEngines.length > 0 ? llmEngines : byDefault, {
    claude: () =>
      hasClaude
        ? toClaudeId(settings, { sandbox: anthropicApiKey === undefined })
        : missing("LLM_ENGINES lists claude, so ANTHROPIC_API_KEY must be set"),
    extractive: () => EXTRACTIVE_ID,
  });
}

function toRecipe(
  variable: string,
  names: readonly string[],
  engines: Readonly<Record<string, () => EngineId>>,
): Recipe {
  const ids = names.map((name) => {
    const toId = Object.hasOwn(engines, name) ? engines[name] : undefined;
    if (toId !== undefined) return toId();
    const allowed = Object.keys(engines).join(", ");
    return missing(`${variable} lists ${JSON.stringify(name)}; the engines are ${allowed}`);
  });
  return [...new Set(ids)];
}

function missing(message: string): never {
  throw new Error(message);
}

function toOpenAiId({ asrModel }: EngineSettings): EngineId {
  return toEngineId("openai", { model: asrModel });
}

function toClaudeId({ claudeModel }: EngineSettings, { sandbox }: { sandbox: boolean }): EngineId {
  return toEngineId("claude", { model: claudeModel, sandbox });
}

/**
 * Every engine that works on this machine, also those that the present recipes leave out: jobs of an earlier
 * configuration may name them. Starts pocketsphinx and tesseract once to see whether they run; takes about half a second.
 */
export async function createEngines(settings: EngineSettings): Promise<Engines> {
  const [asr, ocr] = await Promise.all([createAsr(settings), createOcr(settings)]);
  return { asr, ocr, llm: createLlm(settings) };
}

async function createAsr(settings: EngineSettings): Promise<AsrProvider[]> {
  const { asrBaseUrl, asrApiKey, asrModel, asrUsdPerMinute, sandboxUrl } = settings;
  const asr: AsrProvider[] = [];
  if (asrBaseUrl !== undefined) {
    asr.push(
      createOpenAiTranscriber({
        baseUrl: asrBaseUrl,
        apiKey: asrApiKey,
        model: asrModel,
        engine: toOpenAiId(settings),
        usdPerMinute: asrUsdPerMinute,
      }),
    );
  }
  const found = await findPocketsphinx(settings.pocketsphinxPath);
  if (found !== null) asr.push(createPocketsphinx({ path: found.path }));
  if (sandboxUrl !== undefined) {
    asr.push(
      createOpenAiTranscriber({
        baseUrl: `${sandboxUrl}/openai`,
        apiKey: SANDBOX_KEY,
        model: "recorded",
        engine: SANDBOX_ASR_ID,
        usdPerMinute: 0,
      }),
    );
  }
  return asr;
}

async function createOcr({ tesseractPath, ffmpegPath }: EngineSettings): Promise<OcrProvider[]> {
  const found = await findTesseract(tesseractPath);
  return found === null ? [] : [createTesseract({ path: found.path, ffmpegPath })];
}

function createLlm(settings: EngineSettings): SummaryProvider[] {
  const { anthropicApiKey, anthropicBaseUrl, claudeModel: model, sandboxUrl } = settings;
  const llm: SummaryProvider[] = [];
  if (anthropicApiKey !== undefined) {
    const engine = toClaudeId(settings, { sandbox: false });
    llm.push(createClaude({ apiKey: anthropicApiKey, baseUrl: anthropicBaseUrl, model, engine }));
  }
  if (sandboxUrl !== undefined) {
    const engine = toClaudeId(settings, { sandbox: true });
    const baseUrl = `${sandboxUrl}/anthropic`;
    llm.push(createClaude({ apiKey: SANDBOX_KEY, baseUrl, model, engine }));
  }
  return [...llm, createExtractive()];
}
