/**
 * Keys of artifacts by kind, with the variant behind a dot where there are several: `transcript`, `bulletpoint.de`. Of a
 * request: what its result is made of. Of a post: what is current; a kind that is missing leaves the earlier one in place.
 */
export type ArtifactKeys = Readonly<Record<string, string>>;

/** An artifact as a plan names it. */
export interface NamedArtifact {
  kind: { readonly name: string };
  /** Default: it has none. */
  variant?: string;
  /** Undefined where there is none: it is left out. */
  key: string | undefined;
}

export function toArtifactKeys(artifacts: readonly NamedArtifact[]): ArtifactKeys {
  const keys: Record<string, string> = {};
  for (const { kind, variant = "", key } of artifacts)
    if (key !== undefined) keys[variant === "" ? kind.name : `${kind.name}.${variant}`] = key;
  return keys;
}
