import type { Config } from "@clipmill/config";
import { isSimulated } from "@clipmill/domain";
import { createEngines, toRecipes } from "@clipmill/providers";

/**
 * Whether speech is recognised for real here, so that nothing recorded has to stand in. Starts the programs that it
 * looks for, which takes about half a second.
 */
export async function hasRecogniser(config: Config): Promise<boolean> {
  const wanted = toRecipes(config).asr.filter((id) => !isSimulated(id));
  const { asr } = await createEngines(config);
  return asr.some(({ id }) => wanted.includes(id));
}
