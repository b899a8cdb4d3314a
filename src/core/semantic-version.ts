import semver from "semver";

/**
 * The parts of a semantic version, by which versions are compared; null for any other text. Build metadata
 * (`1.0.0+build.5`) belongs to a version's name but not to its precedence; a leading `v` or surrounding space is not
 * allowed.
 */
export function parseVersion(text: string): semver.SemVer | null {
  const parsed = semver.parse(text);
  if (parsed === null) return null;
  const build = parsed.build.length === 0 ? "" : `+${parsed.build.join(".")}`;
  return text === `${parsed.version}${build}` ? parsed : null;
}
