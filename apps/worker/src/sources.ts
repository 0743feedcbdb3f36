import type { Config } from "@clipmill/config";
import { isSimulated, type PostSource, UnrecoverableError } from "@clipmill/domain";
import {
  createPostSources,
  type ImportedFiles,
  type OnHoldOff,
  type PostSources,
} from "@clipmill/providers";

/** Every source that works on this worker; those that would bring what its ffmpeg must not decode refuse. */
export async function createSources(
  config: Config,
  files: ImportedFiles,
  onHoldOff: OnHoldOff,
): Promise<PostSources> {
  const sources = await createPostSources(config, { files, onHoldOff });
  const decodesOwnOnly = config.CLIPMILL_FFMPEG_BUNDLED && !config.ALLOW_BUNDLED_FFMPEG;
  if (!decodesOwnOnly) return sources;
  return {
    ...sources,
    all: sources.all.map((source) => (isSimulated(source.id) ? source : toRefusing(source))),
  };
}

/** The bundled ffmpeg is years old: it decodes the sandbox's clips, not what strangers made. */
function toRefusing(source: PostSource): PostSource {
  return {
    ...source,
    callUsd: 0,
    fetchPost() {
      return Promise.reject(
        new UnrecoverableError(
          "unsupported",
          "the bundled ffmpeg is for the demo's own clips: install ffmpeg, or set ALLOW_BUNDLED_FFMPEG=1",
        ),
      );
    },
  };
}
