import type { OcrProvider } from "@clipmill/domain";
import type { Turns } from "@clipmill/providers";

/** The engine, which reads a picture when its turn comes: it takes a whole processor for that. */
export function withTurns(engine: OcrProvider, turns: Turns): OcrProvider {
  return {
    ...engine,
    readLines: (imagePath, options) =>
      turns.run(options, () => engine.readLines(imagePath, options)),
  };
}
