/** The part that we use. The package's own types name their files without extension, which TypeScript does not find. */
declare module "media-captions" {
  export interface ParsedCue {
    /** Seconds. */
    startTime: number;
    endTime: number;
    text: string;
  }
  export type VTTNode =
    | { type: "text"; data: string }
    | {
        type: "b" | "i" | "u" | "c" | "v" | "lang" | "ruby" | "rt" | "timestamp";
        children: VTTNode[];
      };
  export function parseText(
    text: string,
    options: { type: "vtt" | "srt" },
  ): Promise<{ cues: ParsedCue[]; errors: Error[] }>;
  export function tokenizeVTTCue(cue: ParsedCue): VTTNode[];
}
